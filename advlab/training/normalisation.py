"""The constants by which training images are normalised, computed from the images themselves."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.training.recipe import Recipe

IMAGES_AT_ONCE = 4096  # that are summed: as int64 they take eight times their memory


def normalisation(recipe: Recipe, images_uint8: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation by which images in [0, 1] are normalised, (x - mean) / std.

    Args:
        recipe: whose `normalise` chooses: "caffe" is pixel / 256; "mean_image" is pixel minus the mean training image, in
            units of 0..255 (Jetley et al. 2018); "standard" is the mean and the standard deviation of each channel.
        images_uint8: the training images (N, C, H, W).

    Returns:
        two float32 tensors that broadcast to (C, H, W), on the device of the images.

    Raises:
        ValueError: there are no images, or they are not uint8.
    """
    check_uint8_images(images_uint8)
    channels = images_uint8.shape[1]
    ones = torch.ones(channels, 1, 1, device=images_uint8.device)
    if recipe.normalise == "caffe":
        return torch.zeros_like(ones), ones * (256.0 / 255.0)
    if recipe.normalise == "mean_image":
        pixel_sums = images_uint8.sum(dim=0, dtype=torch.int64)
        return (pixel_sums.double() / (255 * len(images_uint8))).float(), ones / 255.0
    return channel_moments(images_uint8)


def channel_moments(images_uint8: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel, (C, 1, 1) each, in units of [0, 1].

    The sums are of integers, and exact: neither the order of the images nor the device changes the constants.
    """
    channels = images_uint8.shape[1]
    values_per_channel = images_uint8.numel() // channels
    sums = torch.zeros(channels, dtype=torch.int64, device=images_uint8.device)
    square_sums = torch.zeros_like(sums)
    for start in range(0, len(images_uint8), IMAGES_AT_ONCE):
        values = images_uint8[start : start + IMAGES_AT_ONCE].to(torch.int64)
        sums += values.sum(dim=(0, 2, 3))
        square_sums += (values * values).sum(dim=(0, 2, 3))
    mean = sums.double() / values_per_channel
    std = (square_sums.double() / values_per_channel - mean * mean).clamp_min(0).sqrt()
    std[std == 0] = 255.0  # a constant channel is only shifted: there is nothing to scale
    return (mean / 255).float().view(-1, 1, 1), (std / 255).float().view(-1, 1, 1)


def check_uint8_images(images: Tensor) -> None:
    """Refuse what are not images as training takes them.

    Raises:
        ValueError: they are not uint8 of shape (N, C, H, W), or there are none.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or len(images) == 0:
        raise ValueError(
            f"images must be uint8 of shape (N, C, H, W) with N at least 1, got {images.dtype} {tuple(images.shape)}"
        )
