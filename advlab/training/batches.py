"""The order in which a training sees its images, and the images and labels of each step in it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

import torch
from torch import Tensor

from advlab.data.ahead import decoded_ahead
from advlab.data.images import FilePixels


def index_batches(
    images: int, batch_size: int, total_steps: int, seed: int, device: torch.device, first: int = 0
) -> Generator[Tensor]:
    """Indices of each step's images: a new order each epoch, the incomplete last batch left out.

    Args:
        images: how many there are.
        batch_size: of a step; all images where there are fewer.
        total_steps: of the training.
        seed: of the orders.
        device: where the indices arrive.
        first: steps that were done before, and are passed over.
    """
    # drawn on the CPU, so that every kind of device sees the images in the same order
    generator = torch.Generator().manual_seed(seed)
    step, starts = 0, range(0, max(1, images - batch_size + 1), batch_size)
    while step < total_steps:
        order = torch.randperm(images, generator=generator)
        if step + len(starts) <= first:
            step += len(starts)
            continue
        order = order.to(device)
        for start in starts:
            if step == total_steps:
                return
            if step >= first:
                yield order[start : start + batch_size]
            step += 1


def image_batches(
    images: Tensor | FilePixels,
    labels: Tensor,
    batch_size: int,
    total_steps: int,
    seed: int,
    first: int = 0,
) -> Generator[tuple[Tensor, Tensor]]:
    """Images (n, C, H, W), as they are kept, and labels (n,) of each step, on the device of the labels.

    Images of files are decoded ahead by threads (see `advlab.data.ahead`), so close the generator where an exception leaves it.
    They are the same batches as those of a tensor of all images; the images of steps that are passed over are not decoded.

    Args:
        images: all, as a tensor on the device of the labels, or the files that hold them.
        labels: (N,) int64.
        batch_size: of a step; all images where there are fewer.
        total_steps: of the training.
        seed: of the orders.
        first: steps that were done before, and are passed over.

    Raises:
        DataError: a file is corrupt (named).
    """
    device = labels.device
    if isinstance(images, Tensor):
        for index in index_batches(len(images), batch_size, total_steps, seed, device, first):
            yield images.index_select(0, index), labels.index_select(0, index)  # many times as fast as by brackets
        return
    order = index_batches(len(images), batch_size, total_steps, seed, torch.device("cpu"), first)
    with closing(decoded_ahead(images, order, pinned=can_pin(device))) as decoded:
        for index, pixels in decoded:
            yield pixels.to(device, non_blocking=True), labels[index.to(device)]


def can_pin(device: torch.device) -> bool:
    """Whether images reach the device from page-locked memory, which not every machine has."""
    try:
        return device.type == "cuda" and torch.empty(1, pin_memory=True).is_pinned()
    except RuntimeError:
        return False
