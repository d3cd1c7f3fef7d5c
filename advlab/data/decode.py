"""Image files to uint8 tensors: any mode Pillow reads, resized and cropped, a corrupt file named."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from advlab.errors import DataError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".pbm", ".bmp", ".tif", ".tiff", ".webp", ".gif")
RESAMPLE = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

Fit = Literal["crop", "squash"]


def decode(path: Path, shape: tuple[int, int, int], crop: float, fit: Fit, resample: str) -> Tensor:
    """One image as (C, H, W) uint8.

    Args:
        path: the file; palette, grey, 16-bit, CMYK and alpha images are converted (alpha is dropped, as torchvision).
        shape: (C, H, W) wanted; C is 1 or 3.
        crop: with fit "crop", the share of the resized shorter side that the centre crop keeps (.875 is ImageNet's).
        fit: "crop" keeps the aspect ratio and crops the centre, "squash" resizes both sides.
        resample: "bilinear" or "bicubic", antialiased.

    Raises:
        DataError: the file is corrupt or no image.
    """
    channels, height, width = shape
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode.startswith("I") or image.mode == "F":  # 16 and 32 bit: Pillow would clip at 255
                values = np.asarray(image, dtype=np.float64)
                image = Image.fromarray(
                    np.clip(values / 257 if values.max() > 255 else values, 0, 255).astype(np.uint8)
                )
            image = image.convert("L" if channels == 1 else "RGB")
            if fit == "squash":
                image = image.resize((width, height), RESAMPLE[resample])
            else:
                scale = max(height, width) / crop / min(image.size)
                if abs(scale - 1) > 1e-9:
                    wide, high = (max(int(side * scale + 1e-6), height, width) for side in image.size)
                    if (wide, high) != image.size:
                        image = image.resize((wide, high), RESAMPLE[resample])
                left, top = round((image.width - width) / 2), round((image.height - height) / 2)
                image = image.crop((left, top, left + width, top + height))
            array = np.array(image, dtype=np.uint8)
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error... by format
        raise DataError(f"{path} is corrupt or no image ({error}): replace or remove it") from error
    return torch.from_numpy(array[None] if channels == 1 else array.transpose(2, 0, 1).copy())


def decode_all(paths: Sequence[Path], decoder: Callable[[Path], Tensor]) -> Tensor:
    """(N, C, H, W) uint8 images of the files in `paths`, decoded on all cores."""
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        return torch.stack(list(pool.map(decoder, paths)))


def decoder(shape: tuple[int, int, int], crop: float, fit: Fit, resample: str) -> Callable[[Path], Tensor]:
    """`decode` with everything but the path fixed."""
    return partial(decode, shape=shape, crop=crop, fit=fit, resample=resample)
