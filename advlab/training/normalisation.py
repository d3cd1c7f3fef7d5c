"""The constants by which training images are normalised, computed from the images themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing

import torch
from torch import Tensor

from advlab.data.ahead import decoded_ahead
from advlab.data.images import FilePixels
from advlab.training.recipe import Recipe

IMAGES_AT_ONCE = 4096  # that are summed: as int64 they take eight times their memory
BYTES_AT_ONCE = 8 << 20  # of images from files that are summed at once


def normalisation(recipe: Recipe, images: Tensor | FilePixels) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation by which images in [0, 1] are normalised, (x - mean) / std.

    Args:
        recipe: whose `normalise` chooses: "caffe" is pixel / 256; "mean_image" is pixel minus the mean training image, in
            units of 0..255 (Jetley et al. 2018); "standard" is the mean and the standard deviation of each channel.
        images: the training images (N, C, H, W), uint8 or float32 in [0, 1]; or the files that hold them, all of which are
            decoded once unless it is "caffe".

    Returns:
        two float32 tensors that broadcast to (C, H, W), on the device of the images (of files, the CPU).

    Raises:
        ValueError: there are no images, or they are of another type.
        DataError: a file is corrupt (named).
    """
    check_pixels(images)
    is_float, device = kind_and_device(images)
    ones = torch.ones(images.shape[1], 1, 1, device=device)
    if recipe.normalise == "caffe":
        return torch.zeros_like(ones), ones * (256.0 / 255.0)
    if recipe.normalise == "mean_image":
        sums = torch.zeros(tuple(images.shape[1:]), dtype=torch.float64 if is_float else torch.int64, device=device)
        for part in parts(images, len(images)):
            sums += part.sum(dim=0, dtype=sums.dtype)
        return (sums.double() / ((1 if is_float else 255) * len(images))).float(), ones / 255.0
    return channel_moments(images)


def kind_and_device(images: Tensor | FilePixels) -> tuple[bool, torch.device]:
    """Whether images are floating-point numbers, and where they are."""
    return (images.is_floating_point(), images.device) if isinstance(images, Tensor) else (False, torch.device("cpu"))


def parts(images: Tensor | FilePixels, at_once: int) -> Iterator[Tensor]:
    """All images in order, (n, C, H, W) each: `at_once` of a tensor, 8 MiB of files."""
    if isinstance(images, Tensor):
        yield from images.split(at_once)
        return
    in_order = torch.arange(len(images)).split(max(1, BYTES_AT_ONCE // math.prod(images.image_shape)))
    with closing(decoded_ahead(images, in_order)) as decoded:
        for _, part in decoded:
            yield part


def channel_moments(images: Tensor | FilePixels) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, (C, 1, 1) each, in units of [0, 1].

    The sums of grey levels are of integers, and exact: neither the order of the images nor the device changes the constants.
    """
    is_float, device = kind_and_device(images)
    count, channels, height, width = images.shape
    values_per_channel, white = count * height * width, 1.0 if is_float else 255.0
    exact = torch.float64 if is_float else torch.int64
    sums = torch.zeros(channels, dtype=exact, device=device)
    square_sums = torch.zeros_like(sums)
    for part in parts(images, IMAGES_AT_ONCE):
        values = part.to(exact)
        sums += values.sum(dim=(0, 2, 3))
        square_sums += (values * values).sum(dim=(0, 2, 3))
    mean = sums.double() / values_per_channel
    std = (square_sums.double() / values_per_channel - mean * mean).clamp_min(0).sqrt()
    std[std == 0] = white  # a constant channel is only shifted: there is nothing to scale
    return (mean / white).float().view(-1, 1, 1), (std / white).float().view(-1, 1, 1)


def check_pixels(images: Tensor | FilePixels) -> None:
    """Refuse what are not images as training takes them.

    Raises:
        ValueError: they are neither uint8 nor float32 of shape (N, C, H, W), or there are none.
    """
    if isinstance(images, FilePixels):
        if not len(images):
            raise ValueError("there are no images")
        return
    is_float = images.dtype == torch.float32
    if not (is_float or images.dtype == torch.uint8) or images.ndim != 4 or len(images) == 0:
        raise ValueError(
            "images must be uint8, or float32 in [0, 1], of shape (N, C, H, W) with N at least 1, "
            f"got {images.dtype} {tuple(images.shape)}"
        )
    if is_float and not (float(images.min()) >= 0 and float(images.max()) <= 1):
        raise ValueError("images must be uint8, or float32 in [0, 1]: divide them by 255")
