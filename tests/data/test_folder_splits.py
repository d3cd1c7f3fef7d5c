"""Folders that are divided into train and test: which is read, and labels that mean the same in both."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from advlab.errors import DataError
from tests.helpers.image_folders import names_and_values, put_image, read_folder


@pytest.mark.parametrize("name", ["test", "val", "validation", "valid", "Test", "VAL"])
def test_splits(root: Path, name: str) -> None:
    for i, folder in enumerate((name, "train")):
        put_image(root / folder / "a" / "x.png", 10 * i)
        put_image(root / folder / "b" / "x.png", 10 * i + 1)
    put_image(root / "docs" / "picture.png")
    assert names_and_values(read_folder(root)) == [("a", 0), ("b", 1)]
    assert names_and_values(read_folder(root, "train")) == [("a", 10), ("b", 11)]
    assert read_folder(root).digest != read_folder(root, "train").digest
    with pytest.raises(DataError, match=r"is divided into .*: type dataset\.split=train or dataset\.split=test"):
        read_folder(root, "all")


def test_undivided_folders(root: Path) -> None:
    put_image(root / "a" / "x.png")
    assert names_and_values(read_folder(root, "all")) == names_and_values(read_folder(root, "test"))
    with pytest.raises(DataError, match="holds no folder `train`, whose images are needed"):
        read_folder(root, "train")


def test_a_split_that_is_not_there(root: Path) -> None:
    put_image(root / "train" / "a" / "x.png")
    with pytest.raises(DataError, match="holds no folder test or val"):
        read_folder(root)


def test_training_images_that_are_not_there_are_asked_for_as_such(root: Path) -> None:
    """What is fitted to training images asks for them, whatever dataset.split is: another one is no remedy."""
    put_image(root / "test" / "a" / "x.png")
    with pytest.raises(DataError, match="holds no folder `train`, whose images are needed: arrange the images as"):
        read_folder(root, "train")


def test_imagenets_unlabelled_test_images_give_way_to_val(root: Path) -> None:
    put_image(root / "test" / "ILSVRC2012_test_00000001.JPEG", 9)
    put_image(root / "val" / "n01" / "x.JPEG", 1)
    put_image(root / "train" / "n01" / "x.JPEG", 2)
    assert [name for name, _ in names_and_values(read_folder(root))] == ["n01"]
    assert int(read_folder(root).bytes(torch.tensor([0])).float().mean()) in (0, 1, 2)


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ("abc", "ac", r"test lacks classes that another split of \S+ has \('b'\)"),
        ("ac", "abc", r"train lacks classes that another split of \S+ has \('b'\)"),
        ("abcdefghijkl", "l", r"\('a', 'b', 'c', 'd', 'e', 'f' and 5 more\)"),
        ("ab", "cd", r"\('c', 'd'\)"),
    ],
)
def test_labels_never_shift_between_splits(root: Path, train: str, test: str, said: str) -> None:
    for split, names in (("train", train), ("test", test)):
        for name in names:
            put_image(root / split / name / "x.png")
    for split in ("train", "test"):
        with pytest.raises(DataError, match=said) as caught:
            read_folder(root, split)
        assert "dataset.root=" in str(caught.value)
    alone = read_folder(root / "test")  # the remedy
    assert alone.classes == tuple(sorted(test))
    for split, names in (("train", test), ("test", train)):  # the other remedy
        for name in names:
            (root / split / name).mkdir(exist_ok=True)
    assert read_folder(root).classes == read_folder(root, "train").classes == tuple(sorted({*train, *test}))
    assert names_and_values(read_folder(root)) == [(name, 100) for name in sorted(test)]
