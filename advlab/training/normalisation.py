"""The constants by which training images are normalised, computed from the images themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.training.recipe import Recipe

IMAGES_AT_ONCE = 4096  # that are summed: as int64 they take eight times their memory


def normalisation(recipe: Recipe, images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation by which images in [0, 1] are normalised, (x - mean) / std.

    Args:
        recipe: whose `normalise` chooses: "caffe" is pixel / 256; "mean_image" is pixel minus the mean training image, in
            units of 0..255 (Jetley et al. 2018); "standard" is the mean and the standard deviation of each channel.
        images: the training images (N, C, H, W), uint8 or float32 in [0, 1].

    Returns:
        two float32 tensors that broadcast to (C, H, W), on the device of the images.

    Raises:
        ValueError: there are no images, or they are of another type.
    """
    check_pixels(images)
    ones = torch.ones(images.shape[1], 1, 1, device=images.device)
    if recipe.normalise == "caffe":
        return torch.zeros_like(ones), ones * (256.0 / 255.0)
    if recipe.normalise == "mean_image":
        exact = torch.float64 if images.is_floating_point() else torch.int64
        white = 1 if images.is_floating_point() else 255
        return (images.sum(dim=0, dtype=exact).double() / (white * len(images))).float(), ones / 255.0
    return channel_moments(images)


def channel_moments(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, (C, 1, 1) each, in units of [0, 1].

    The sums of grey levels are of integers, and exact: neither the order of the images nor the device changes the constants.
    """
    channels, is_float = images.shape[1], images.is_floating_point()
    values_per_channel, white = images.numel() // channels, 1.0 if is_float else 255.0
    exact = torch.float64 if is_float else torch.int64
    sums = torch.zeros(channels, dtype=exact, device=images.device)
    square_sums = torch.zeros_like(sums)
    for start in range(0, len(images), IMAGES_AT_ONCE):
        values = images[start : start + IMAGES_AT_ONCE].to(exact)
        sums += values.sum(dim=(0, 2, 3))
        square_sums += (values * values).sum(dim=(0, 2, 3))
    mean = sums.double() / values_per_channel
    std = (square_sums.double() / values_per_channel - mean * mean).clamp_min(0).sqrt()
    std[std == 0] = white  # a constant channel is only shifted: there is nothing to scale
    return (mean / white).float().view(-1, 1, 1), (std / white).float().view(-1, 1, 1)


def check_pixels(images: Tensor) -> None:
    """Refuse what are not images as training takes them.

    Raises:
        ValueError: they are neither uint8 nor float32 of shape (N, C, H, W), or there are none.
    """
    is_float = images.dtype == torch.float32
    if not (is_float or images.dtype == torch.uint8) or images.ndim != 4 or len(images) == 0:
        raise ValueError(
            "images must be uint8, or float32 in [0, 1], of shape (N, C, H, W) with N at least 1, "
            f"got {images.dtype} {tuple(images.shape)}"
        )
    if is_float and not (float(images.min()) >= 0 and float(images.max()) <= 1):
        raise ValueError("images must be uint8, or float32 in [0, 1]: divide them by 255")
