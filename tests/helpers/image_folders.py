"""Folders of small grey images, and what is read of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from PIL import Image

from advlab.data.file_sources import Folder
from advlab.data.images import ImageData
from advlab.data.source import LoadOptions
from advlab.store.artifacts import ArtifactStore


def put_image(path: Path, value: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        Image.new("L", (6, 6), value).save(file, {".jpg": "JPEG", ".jpeg": "JPEG"}.get(path.suffix.lower(), "PNG"))
    return path


def read_folder(root: Path, split: str = "test", *, memory: float = 1.0, **keys: Any) -> ImageData:
    """The images of a folder; with `memory` 0 they are decoded whenever they are needed."""
    source = Folder(root=str(root), split=split, **keys)
    cache = ArtifactStore(root.parent / ".cache")
    return source.load(split, source.label, LoadOptions(root.parent, False, cache, (1, 6, 6), image_memory=memory))


def names_and_values(data: ImageData) -> list[tuple[str, int]]:
    """(class name, grey value) of every image."""
    values = data.bytes(torch.arange(len(data)))[:, 0, 3, 3].tolist()
    return [(data.classes[label], value) for label, value in zip(data.labels.tolist(), values, strict=True)]
