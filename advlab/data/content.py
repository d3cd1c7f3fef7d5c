"""What is read of a split of a dataset: arrays or files, and the size wanted of the images. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from advlab.data.remarks import Remark

Shape = tuple[int, int, int]


class Preprocessing(NamedTuple):
    """How an image file becomes an image of the wanted size; see `advlab.data.decode.decode_file`."""

    crop: float  # share of the resized image's tighter side that the centre crop keeps
    fit: Literal["crop", "squash"]
    resample: str  # bilinear or bicubic


@dataclass(frozen=True)
class Arrays:
    """The images of a split as an array."""

    classes: Sequence[str]  # names in the order of the labels
    pixels: Any  # (N, H, W) or (N, H, W, C) uint8, or float in [0, 1]
    labels: Any  # (N,) integers
    shape: Shape  # (C, H, W) that is wanted


@dataclass(frozen=True)
class Files:
    """The image files of a split."""

    classes: Sequence[str]  # names in the order of the labels
    root: Path  # folder to which the digest takes the files' names relative
    paths: Sequence[Path]
    labels: Sequence[int]  # one a file
    shape: Shape  # (C, H, W) that is wanted
    preprocessing: Preprocessing
    remarks: Sequence[Remark] = ()  # what is unusual about the folder
