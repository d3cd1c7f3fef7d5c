"""The digest of an image folder: of content and treatment, and read once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from advlab.data import files
from advlab.store.sealed import sha256_file
from tests.helpers.image_folders import put_image, read_folder


def test_the_digest_is_of_content_and_treatment(root: Path, tmp_path: Path) -> None:
    put_image(root / "a" / "x.png", 1)
    put_image(root / "b" / "y.png", 2)
    first = read_folder(root).digest
    assert read_folder(root).digest == first
    moved = tmp_path / "moved"
    moved.mkdir()
    root.rename(moved / "images")
    root = moved / "images"
    assert read_folder(root).digest == first
    assert {
        read_folder(root, size=5).digest,
        read_folder(root, crop=0.5).digest,
        read_folder(root, fit="squash").digest,
    }.isdisjoint({first})
    assert read_folder(root, resample="bicubic").digest != first
    (root / "_").mkdir()  # an empty class before the others: the same files under other labels
    assert read_folder(root).labels.tolist() == [1, 2]
    assert read_folder(root).digest != first
    (root / "_").rmdir()
    assert read_folder(root).digest == first
    (root / "a" / "x.png").rename(root / "b" / "x.png")  # another class
    relabelled = read_folder(root).digest
    put_image(root / "b" / "y.png", 3)
    assert len({first, relabelled, read_folder(root).digest}) == 3


def test_bytes_are_read_once_as_long_as_nothing_changes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put_image(root / "a" / "x.png", 1)
    first = read_folder(root).digest
    asked: list[Path] = []

    def recorded(file: Path) -> str:
        asked.append(file)
        return sha256_file(file)

    monkeypatch.setattr(files, "sha256_file", recorded)
    assert read_folder(root).digest == first
    assert not asked
    put_image(path, 2)
    os.utime(path, ns=(1, 1))
    assert read_folder(root).digest != first
    assert asked == [path]
