"""A part of a dataset to train on: the first images of a seeded order."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from advlab.data.images import ImageData, tensor_digest
from advlab.errors import ModelError
from advlab.probes.selection import order


def first_images(data: ImageData, count: int, seed: int) -> ImageData:
    """The first `count` images of an order of a dataset by the seed, the same for all networks of that seed.

    Args:
        data: in memory.
        count: how many; 0, or as many as there are: all, as they are.
        seed: of the order.

    Returns:
        where `data` is.

    Raises:
        ModelError: the images are streamed from files.
    """
    whole = not 0 < count < len(data)
    return chosen_images(data, None if whole else torch.from_numpy(order(data, seed)[:count]))


def chosen_images(data: ImageData, index: Tensor | None) -> ImageData:
    """The images of (n,) indices as a dataset of their own; None: all, as they are.

    Raises:
        ModelError: the images are streamed from files.
    """
    if not isinstance(data.pixels, Tensor):
        raise ModelError(
            f"{data.name} is read from files, and this experiment picks its training images in memory: type "
            "run.image_memory=N (GiB)"
        )
    return data if index is None else with_images(data, data.pixels[index], data.labels[index])


def with_images(data: ImageData, pixels: Tensor, labels: Tensor) -> ImageData:
    """The same dataset with other images, (N, C, H, W) uint8 or float32 in [0, 1], and labels (N,)."""
    return replace(data, pixels=pixels, labels=labels, digest=tensor_digest(pixels, labels))
