"""Images in tables: whole grey levels as base64 text, so that a figure of images is a function of its table."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pandas as pd


def encode(image: np.ndarray[Any, Any]) -> str:
    """A (C, H, W) uint8 image as text: its values in the order channel, row, column, in base64.

    Raises:
        ValueError: the image has another type or shape.
    """
    if image.dtype != np.uint8 or image.ndim != 3:
        raise ValueError(f"an image must be (C, H, W) uint8, got {image.dtype} of {image.shape}")
    return base64.b64encode(np.ascontiguousarray(image).tobytes()).decode("ascii")


def decode(row: pd.Series) -> np.ndarray[Any, Any]:
    """The (C, H, W) uint8 image of a row with `pixels`, `channels`, `height` and `width`.

    Raises:
        ValueError: the text holds another number of values.
    """
    shape = (int(row["channels"]), int(row["height"]), int(row["width"]))
    return np.frombuffer(base64.b64decode(str(row["pixels"]), validate=True), dtype=np.uint8).reshape(shape)


def show(axis: Any, image: np.ndarray[Any, Any]) -> None:
    """Draw a (C, H, W) uint8 image: three channels in colour, any other number of them as their mean, in grey."""
    frame(axis, color="#777777")
    if len(image) == 3:
        axis.imshow(image.transpose(1, 2, 0), interpolation="nearest")
    else:
        axis.imshow(image.mean(0), cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def frame(axis: Any, **look: Any) -> None:
    """Leave of an axis a thin border alone, without ticks and grid; `look` is passed to its lines."""
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set(linewidth=0.4, **look)
