"""Atomic writes, sealed JSON, quarantine, against full disks and flipped bits.

Longer than other files: one promise, that no file is ever seen half written, under every way in which a disk fails.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from advlab.errors import ResultError
from advlab.store.atomic import StorageError, write_atomic
from advlab.store.sealed import canonical, quarantine, read_sealed, write_sealed


def refuse(number: int) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return call


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB, or a skip that says so."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=64k tmpfs '{folder}' 2>/dev/null") != 0:
        pytest.skip("a small file system can be mounted by root only")
    yield folder
    os.system(f"umount -l '{folder}'")


# write_atomic


def test_write_makes_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.json"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert files(path.parent) == ["file.json"]


def test_write_never_shows_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    seen: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(path.read_bytes()))  # written and flushed, not yet renamed
    write_atomic(path, b"new" * 100_000)
    assert seen[0] == b"old"


def test_content_reaches_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, order = tmp_path / "file", []
    fsync, replace = os.fsync, Path.replace

    def logged_fsync(descriptor: int) -> None:
        order.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        fsync(descriptor)

    def logged_replace(source: Path, target: Path) -> Path:
        order.append("rename")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", logged_fsync)
    monkeypatch.setattr(Path, "replace", logged_replace)
    write_atomic(path, b"x")
    assert order == ["file", "rename", "folder"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_refused_write_keeps_the_old_file(
    call: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os if call == "fsync" else Path, call, refuse(number))
        with pytest.raises(StorageError, match="file could not be written") as caught:
            write_atomic(path, b"new")
    assert os.strerror(number) in str(caught.value)
    assert "run.resume=true" in str(caught.value)
    assert caught.value.exit_code == 1
    assert path.read_bytes() == b"old"
    assert files(tmp_path) == ["file"]


def test_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "file", b"x")
    assert files(tmp_path) == []


def test_full_disk(tiny_disk: Path) -> None:
    write_atomic(tiny_disk / "small", b"x" * 1000)
    with pytest.raises(StorageError, match="No space left"):
        write_atomic(tiny_disk / "small", b"y" * 1_000_000)
    assert (tiny_disk / "small").read_bytes() == b"x" * 1000
    assert files(tiny_disk) == ["small"]
    write_atomic(tiny_disk / "other", b"z" * 1000)


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        write_atomic(tmp_path / "file" / "below", b"x")


# sealed JSON


CONTENT = {
    "text": 'ü "quoted"\nline\t\u2028\x00', "float": 0.1, "tiny": 5e-324, "minus zero": -0.0, "big": 2**70, "none": None,
    "nested": {"b": [1, 2.5, {"c": False}], "a": []}, "": "", "no unicode": b"\xff".decode("utf-8", "surrogateescape"),
}  # fmt: skip


def test_sealed_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "sealed.json"
    write_sealed(path, CONTENT)
    assert read_sealed(path) == CONTENT
    assert str(read_sealed(path)["minus zero"]) == "-0.0"
    assert list(read_sealed(path)) == list(CONTENT)


def test_sealed_floats_that_are_not_finite(tmp_path: Path) -> None:
    write_sealed(tmp_path / "x.json", {"values": [float("nan"), float("inf"), float("-inf")]})
    assert list(map(repr, read_sealed(tmp_path / "x.json")["values"])) == ["nan", "inf", "-inf"]


def test_a_flipped_bit_is_seen_or_changes_nothing(tmp_path: Path) -> None:
    """A flip in the white space of the file leaves the content as it was; every other one is refused."""
    path = tmp_path / "sealed.json"
    write_sealed(path, CONTENT)
    data = path.read_bytes()
    refused = 0
    for position in range(0, len(data) * 8, 3):
        flipped = bytearray(data)
        flipped[position // 8] ^= 1 << position % 8
        path.write_bytes(flipped)
        refused += 1
        with contextlib.suppress(ResultError):
            assert read_sealed(path) == CONTENT
            refused -= 1
    assert refused > 0.75 * len(data) * 8 / 3


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"a": 1}', '{"seal": ""}', '{"a": 1, "seal": null}', "[" * 100_000]
)
def test_what_is_not_sealed_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ResultError, match="damaged"):
        read_sealed(path)


def test_missing_and_cut_files(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(ResultError, match="missing"):
        read_sealed(path)
    write_sealed(path, CONTENT)
    data = path.read_bytes()
    for length in range(0, len(data) - 2, 7):
        path.write_bytes(data[:length])
        with pytest.raises(ResultError, match="damaged"):
            read_sealed(path)


def test_canonical_depends_on_the_content_alone() -> None:
    assert canonical({"a": 1, "b": [1, 2]}) == canonical({"b": (1, 2), "a": 1}) == b'{"a":1,"b":[1,2]}'
    different = [{"a": 1}, {"a": 1.5}, {"a": "1"}, {"a": True}, {"a": None}, {"a": [1]}, {"b": 1}, {}, {"a": -0.0}]
    assert len({canonical(value) for value in different}) == len(different)


# quarantine


def test_quarantine_never_overwrites(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "x").write_text(str(number))
        quarantine(tmp_path / "x")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "inner").write_text("")
    assert quarantine(tmp_path / "d") == tmp_path / "d.quarantined-1"
    assert files(tmp_path) == ["d.quarantined-1", "x.quarantined-1", "x.quarantined-2", "x.quarantined-3"]
    assert [(tmp_path / f"x.quarantined-{n}").read_text() for n in (1, 2, 3)] == ["0", "1", "2"]


def test_quarantine_of_what_another_moved(tmp_path: Path) -> None:
    quarantine(tmp_path / "gone")
    assert files(tmp_path) == []


def test_quarantine_where_nothing_may_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_text("")
    monkeypatch.setattr(Path, "rename", refuse(errno.EROFS))
    with pytest.raises(StorageError, match="could not be moved aside"):
        quarantine(tmp_path / "x")
