"""Which image files a folder holds for a split, and which classes their folders are. Imports no torch."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from advlab.data.remarks import Remark
from advlab.errors import DataError
from advlab.shell import typed_override

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".pbm", ".bmp", ".tif", ".tiff", ".webp", ".gif")
LITTER = ("thumbs.db", "desktop.ini")  # what Windows leaves
SPLITS = {"train": ("train", "training"), "test": ("test", "val", "validation", "valid")}  # names of their folders


def is_hidden(name: str) -> bool:
    """Whether a file or folder was left by an operating system and is not data."""
    return name.startswith(".") or name == "__MACOSX"


def visible_folders(folder: Path) -> list[Path]:
    """The sub-folders of `folder` that are not hidden, sorted by name; by number where all names are whole numbers."""
    paths = [path for path in folder.iterdir() if path.is_dir() and not is_hidden(path.name)]
    if all(is_number(path.name) for path in paths):
        return sorted(paths, key=lambda path: (int(path.name), path.name))
    return sorted(paths, key=lambda path: path.name)


def is_number(name: str) -> bool:
    """Whether a name is a whole number, such as 7, 007 or 12."""
    return name.isascii() and name.isdecimal() and len(name) < 20


def order_remark(names: Sequence[str]) -> list[Remark]:
    """What is said of an order of classes that could as well be another: by number, or by the letters of the names."""
    by_letters = sorted(names)
    if all(map(is_number, names)):
        if list(names) == by_letters:
            return []
        text = f"the class folders {shown_names(names)} stand in the order of their numbers"
        return [
            Remark(f"{text}, not of their letters ({shown_names(by_letters)}); dataset.labels=... sets another", False)
        ]
    by_number = sorted(
        names, key=lambda name: [int(part) if i % 2 else part for i, part in enumerate(re.split(r"(\d+)", name))]
    )
    differing = [(a, b) for a, b in zip(names, by_number, strict=True) if a != b]
    if not differing:
        return []
    first, other = differing[0]
    text = f"the class folders stand in the order of their letters, {first!r} before {other!r}"
    return [
        Remark(f"{text}: if the network's classes are in the order of the numbers, say so by dataset.labels=...", True)
    ]


def shown_names(names: Sequence[str]) -> str:
    """The first two names and the last."""
    return ", ".join(names) if len(names) < 4 else f"{names[0]}, {names[1]}, ..., {names[-1]}"


def split_folder(root: Path, split: str) -> Path:
    """The folder that holds the class folders of `split`.

    Raises:
        DataError: there is no such folder.
    """
    if not os.path.isdir(root):
        raise DataError(f"{root} is no folder: name one that holds a folder of images per class by dataset.root=...")
    folders = {path.name.lower(): path for path in visible_folders(root)}
    candidates = {  # of each split; ImageNet's `test`, which holds loose images, comes after `val`
        name: sorted(
            (folders[alias] for alias in aliases if alias in folders), key=lambda folder: not visible_folders(folder)
        )
        for name, aliases in SPLITS.items()
    }
    split_folders = [folder for alternatives in candidates.values() for folder in alternatives]
    if (not any(map(visible_folders, split_folders)) and len(split_folders) < len(folders)) or not split_folders:
        if split == "train":
            raise without_training_images(root)
        return root
    if split == "all":
        raise DataError(
            f"{root} is divided into {', '.join(path.name for path in split_folders)}: type dataset.split=train or "
            "dataset.split=test"
        )
    if not candidates[split]:
        if split == "train":
            raise without_training_images(root)
        raise DataError(f"{root} holds no folder {' or '.join(SPLITS[split])}: choose another dataset.split")
    same_classes([alternatives[0] for alternatives in candidates.values() if alternatives])
    return candidates[split][0]


def without_training_images(root: Path) -> DataError:
    """The error for a folder whose training images are asked for, by a training or by what is fitted to them."""
    return DataError(
        f"{root} holds no folder `train`, whose images are needed: arrange the images as {root}/train/<class>/* and "
        f"{root}/test/<class>/*, or where they are to train a network, give a trained one by model.checkpoint=..."
    )


def same_classes(splits: Sequence[Path]) -> None:
    """Check that the folders of all splits hold the same classes: labels are positions in their sorted names.

    Raises:
        DataError: they differ; the message names classes that only one of them has.
    """
    names = [{path.name for path in visible_folders(folder)} for folder in splits]
    for folder, classes in zip(splits, names, strict=True):
        lacking = sorted(classes.union(*names) - classes)
        if lacking and classes:  # a folder without any classes is reported when that split is read
            shown = ", ".join(map(repr, lacking[:6])) + (f" and {len(lacking) - 6} more" if len(lacking) > 6 else "")
            raise DataError(
                f"{folder} lacks classes that another split of {folder.parent} has ({shown}), so that labels would mean "
                f"different classes: add empty folders for them, or name one split alone by "
                f"{typed_override('dataset.root', str(folder))}"
            )


class Listing(NamedTuple):
    """The images of a folder."""

    classes: list[str]
    paths: list[Path]
    labels: list[int]
    remarks: list[Remark]


def list_images(root: Path, split: str) -> Listing:
    """Class names, image files and labels of a folder, in sorted order, and what is unusual about it.

    The classes are the sub-folders' names, sorted, as numbers where all of them are; an empty class keeps its label. Hidden
    files and folders and other file types are passed over; a folder that symbolic links reach twice within its class is
    listed once.

    Raises:
        DataError: the folder does not have that layout.
    """
    folder = split_folder(root, split)
    folders = visible_folders(folder)
    paths, labels = [], []
    passed_over = [
        path for path in sorted(folder.iterdir()) if path.is_file() and path.name.lower().endswith(EXTENSIONS)
    ]
    passed_over = [path for path in passed_over if not is_hidden(path.name)]  # loose images
    for label, class_folder in enumerate(folders):
        seen = set()
        for current, inner, names in os.walk(class_folder, followlinks=True):
            seen.add(os.path.realpath(current))
            inner[:] = sorted(n for n in inner if not is_hidden(n) and os.path.realpath(f"{current}/{n}") not in seen)
            chosen = [n for n in sorted(names) if n.lower().endswith(EXTENSIONS) and not is_hidden(n)]
            paths += [Path(current) / name for name in chosen]
            labels += [label] * len(chosen)
            others = {name for name in names if not is_hidden(name) and name.lower() not in LITTER}.difference(chosen)
            passed_over += [Path(current) / name for name in sorted(others)]
    if not paths:
        loose = any(path.suffix.lower() in EXTENSIONS and not is_hidden(path.name) for path in folder.iterdir())
        reason = "its images lie loose" if loose else "it holds no images"
        raise DataError(
            f"{folder} holds no folders of images ({reason}): make one folder a class, {folder}/<class>/*.png"
        )
    classes = [printable(path.name) for path in folders]
    remarks = order_remark(classes)
    if passed_over:
        kinds = sorted({path.suffix.lower() or "no extension" for path in passed_over if path.parent != folder})
        why = f"extensions {shown_names(kinds)}" if kinds else "they lie loose beside the class folders"
        text = f"files that are passed over: {len(passed_over)}, such as {printable(str(passed_over[0]))} ({why})"
        remarks.append(Remark(text, True))
    return Listing(classes, paths, labels, remarks)


def printable(name: str) -> str:
    """A file's name as text that can be written: bytes that are not UTF-8 become escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
