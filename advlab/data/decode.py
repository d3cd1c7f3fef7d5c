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

from advlab.data.remarks import Remarks
from advlab.errors import DataError

# recognised by content, whatever the file's name says: Pillow would start Ghostscript for a renamed EPS file
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")
RESAMPLE = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

Fit = Literal["crop", "squash"]

Image.init()  # registers the formats now: Pillow would do so at the first image, and not safely from several threads


def decode_file(
    path: Path, shape: tuple[int, int, int], crop: float, fit: Fit, resample: str, remarks: Remarks | None = None
) -> Tensor:
    """One image as (C, H, W) uint8.

    Args:
        path: the file; palette, grey, 16-bit, CMYK and alpha images are converted (alpha is dropped, as torchvision does),
            and turned upright as their EXIF orientation says.
        shape: (C, H, W) of the result; C is 1 or 3.
        crop: with fit "crop", the share of the resized image's tighter side that the centre crop keeps (.875 is
            ImageNet's).
        fit: "crop" keeps the aspect ratio and crops the centre, "squash" resizes both sides.
        resample: "bilinear" or "bicubic", antialiased.
        remarks: told what is unusual about the file.

    Raises:
        DataError: the file is corrupt, is not an image, or has no fixed range of values (floating point, 32 bit).
    """
    channels, height, width = shape
    try:
        with Image.open(path, formats=FORMATS) as file:
            if remarks is not None:
                remark_on(file, path, remarks)
            image = eight_bit(upright(file))
        image.info.pop("transparency", None)  # Pillow warns of each palette image that has some
        image = image.convert("L" if channels == 1 else "RGB")
        if fit == "squash":
            image = image.resize((width, height), RESAMPLE[resample])
        else:
            scale = max(width / image.width, height / image.height) / crop
            resized_width, resized_height = int(image.width * scale + 1e-6), int(image.height * scale + 1e-6)
            image = image.resize((max(resized_width, width), max(resized_height, height)), RESAMPLE[resample])
            left, top = round((image.width - width) / 2), round((image.height - height) / 2)
            image = image.crop((left, top, left + width, top + height))
        array = np.array(image, dtype=np.uint8)
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error... by format
        raise DataError(f"{path} is corrupt or no image ({error}): replace or remove it") from error
    return torch.from_numpy(array[None] if channels == 1 else array.transpose(2, 0, 1).copy())


def remark_on(file: Image.Image, path: Path, remarks: Remarks) -> None:
    """Tell what is unusual about an image that has been opened, and load it."""
    of_tiles = str(
        [tile[3] for tile in getattr(file, "tile", [])]
    )  # how the file stores its values, until it is loaded
    if getattr(file, "is_animated", False):
        remarks.add("animated", path)
    file.load()
    if file.mode.startswith("I"):
        remarks.add("sixteen", path, int(np.asarray(file, dtype=np.int64).max()))
    elif ";16" in of_tiles:
        remarks.add("sixteen_colour", path)
    if file.mode in ("P", "PA"):
        remarks.add("palette", path)
    elif file.mode not in ("1", "L", "LA", "La", "RGB", "RGBA", "RGBa", "RGBX", "F") and not file.mode.startswith("I"):
        remarks.add("mode", path)
    if file.has_transparency_data:
        values = np.asarray(file.convert("RGBA"))
        alpha, colours = values[..., 3], values[..., :3].reshape(-1, 3)
        if alpha.min() < 255:
            alone = alpha.min() < alpha.max() and (colours == colours[0]).all()
            remarks.add("alpha_alone" if alone else "alpha", path)
    if orientation(file) not in (None, 1):
        remarks.add("orientation", path)


def orientation(image: Image.Image) -> int | None:
    """The EXIF orientation of an image, None where there is none that can be read."""
    try:
        value = image.getexif().get(0x0112)
    except Exception:  # only the EXIF data are damaged, not the pixels
        return None
    return value if value in range(1, 9) else None


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF orientation says; EXIF data that cannot be read are ignored."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # only the orientation is damaged, not the pixels
        return image


def eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bit (Pillow's own conversion clips at 255); other images as they are.

    Raises:
        ValueError: the values have no fixed range, so that no scale is right.
    """
    if image.mode == "F":
        raise ValueError("floating point values have no fixed range: convert it to 8 or 16 bit")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image, dtype=np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("32-bit values have no fixed range: convert it to 8 or 16 bit")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def decode_all(paths: Sequence[Path], decoder: Callable[[Path], Tensor]) -> Tensor:
    """(N, C, H, W) uint8 images of the files in `paths`, decoded on all cores."""
    with ThreadPoolExecutor(decoding_threads()) as pool:
        return torch.stack(list(pool.map(decoder, paths)))


def decoding_threads() -> int:
    """Threads that decode images: one for each core that this process may use, at most 16."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(16, cores)


def decoder(
    shape: tuple[int, int, int], crop: float, fit: Fit, resample: str, remarks: Remarks | None = None
) -> Callable[[Path], Tensor]:
    """`decode_file` with everything but the path fixed."""
    return partial(decode_file, shape=shape, crop=crop, fit=fit, resample=resample, remarks=remarks)
