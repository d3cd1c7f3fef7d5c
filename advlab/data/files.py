"""Folders of image files: listing, splits, content digest, and whether they are kept in memory or streamed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from advlab.data.decode import EXTENSIONS, decode_all, decoder
from advlab.data.images import FilePixels, ImageData, Shape
from advlab.errors import DataError
from advlab.store.artifacts import ArtifactStore
from advlab.store.sealed import canonical, sha256, sha256_file

IN_MEMORY = 1 << 30  # bytes of decoded pixels up to which images are decoded once and kept
SPLITS = {"train": ("train", "training"), "test": ("test", "val", "validation", "valid")}


def hidden(name: str) -> bool:
    """Whether a file or folder is a system's litter and not data."""
    return name.startswith(".") or name == "__MACOSX"


def visible_folders(folder: Path) -> list[Path]:
    """The sub-folders of `folder` that are not hidden, sorted by name."""
    return sorted((path for path in folder.iterdir() if path.is_dir() and not hidden(path.name)), key=lambda p: p.name)


def split_folder(root: Path, split: str) -> Path:
    """The folder that holds the class folders of `split`.

    Raises:
        DataError: there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder: name one that holds a folder of images per class by dataset.root=...")
    inner = {path.name.lower(): path for path in visible_folders(root)}
    present = {  # ImageNet's `test` holds loose images: `val` stands before it
        name: sorted(
            (inner[alias] for alias in aliases if alias in inner), key=lambda folder: not visible_folders(folder)
        )
        for name, aliases in SPLITS.items()
    }
    named = [folder for folders in present.values() for folder in folders]
    if (not any(map(visible_folders, named)) and len(named) < len(inner)) or not named:
        if split == "train":
            raise DataError(
                f"{root} holds no folder `train`, which training needs: arrange the images as "
                f"{root}/train/<class>/* and {root}/test/<class>/*, or give a trained model by model.checkpoint=..."
            )
        return root
    if split == "all":
        raise DataError(
            f"{root} is divided into {', '.join(path.name for path in named)}: type dataset.split=train or dataset.split=test"
        )
    if not present[split]:
        raise DataError(f"{root} holds no folder {' or '.join(SPLITS[split])}: choose another dataset.split")
    same_classes([folders[0] for folders in present.values() if folders])
    return present[split][0]


def same_classes(splits: Sequence[Path]) -> None:
    """Check that the folders of all splits hold the same classes: labels are positions in their sorted names.

    Raises:
        DataError: they differ; the message names classes that only one of them has.
    """
    names = [{path.name for path in visible_folders(folder)} for folder in splits]
    for folder, own in zip(splits, names, strict=True):
        extra = sorted(own.union(*names) - own)
        if extra and own:  # none at all: loose images or nothing, which is reported when that split is read
            shown = ", ".join(map(repr, extra[:6])) + (f" and {len(extra) - 6} more" if len(extra) > 6 else "")
            raise DataError(
                f"{folder} lacks classes that another split of {folder.parent} has ({shown}), so that labels would mean "
                f"different classes: add empty folders for them, or name one split alone by dataset.root={folder}"
            )


def list_images(root: Path, split: str) -> tuple[list[str], list[Path], list[int]]:
    """Class names, image files and labels of a folder, in sorted order.

    The classes are the sub-folders' names, sorted; an empty class keeps its label. Hidden files and folders and other
    file types are passed over; a folder that symbolic links reach twice within its class is listed once.

    Raises:
        DataError: the folder does not have that layout.
    """
    folder = split_folder(root, split)
    folders = visible_folders(folder)
    paths, labels = [], []
    for label, class_folder in enumerate(folders):
        seen = set()
        for current, inner, names in os.walk(class_folder, followlinks=True):
            seen.add(os.path.realpath(current))
            inner[:] = sorted(n for n in inner if not hidden(n) and os.path.realpath(f"{current}/{n}") not in seen)
            chosen = [n for n in sorted(names) if n.lower().endswith(EXTENSIONS) and not hidden(n)]
            paths += [Path(current) / name for name in chosen]
            labels += [label] * len(chosen)
    if not paths:
        loose = any(path.suffix.lower() in EXTENSIONS and not hidden(path.name) for path in folder.iterdir())
        why = "its images lie loose" if loose else "it holds no images"
        raise DataError(f"{folder} holds no folders of images ({why}): make one folder a class, {folder}/<class>/*.png")
    return [text(path.name) for path in folders], paths, labels


def text(name: str) -> str:
    """A file's name as text that can be written: bytes that are no UTF-8 become escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def content_digest(root: Path, paths: Sequence[Path], labels: Sequence[int], artifacts: ArtifactStore) -> str:
    """SHA-256 over names, labels and bytes of files; remembered for as long as their sizes and times stay.

    Raises:
        DataError: a file is gone, a broken link or not readable (named).
    """
    names = [text(os.path.relpath(path, root)) for path in paths]

    def compute() -> tuple[dict[str, Any], dict[str, Any]]:
        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
            digests = list(pool.map(sha256_file, paths))
        return {}, {"digest": sha256(canonical([names, list(labels), digests]))}

    try:
        stats = [[stat.st_size, stat.st_mtime_ns] for stat in map(os.stat, paths)]
        listing = sha256(canonical([text(str(root.resolve())), names, list(labels), stats]))
        return str(artifacts.get("content-digest", {"listing": listing}, compute).facts["digest"])
    except OSError as error:
        raise DataError(f"{error.filename} cannot be read ({error.strerror}): replace or remove it") from error


def file_data(
    name: str,
    split: str,
    classes: Sequence[str],
    root: Path,
    paths: Sequence[Path],
    labels: Sequence[int],
    shape: Shape,
    treatment: tuple[float, Any, str],
    artifacts: ArtifactStore,
) -> ImageData:
    """`ImageData` over files: decoded once when they fit in a gibibyte, else streamed.

    Args:
        name: of the dataset.
        split: of the dataset.
        classes: class names in label order.
        root: what file names are relative to in the digest.
        paths: the files.
        labels: one a file.
        shape: (C, H, W) wanted.
        treatment: crop, fit and resample of `advlab.data.decode.decode`.
        artifacts: remembers the digest.

    Raises:
        DataError: a file is corrupt (named).
    """
    read = decoder(shape, *treatment)
    content = content_digest(root, paths, labels, artifacts)
    digest = sha256(canonical([content, list(shape), list(treatment)]))
    pixels: Any = FilePixels(paths, read)
    if len(paths) * shape[0] * shape[1] * shape[2] <= IN_MEMORY:
        pixels = decode_all(paths, read)
    return ImageData(name, split, tuple(classes), torch.tensor(labels, dtype=torch.int64), shape, digest, pixels)
