"""The order in which a training sees its images."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


def batches(
    images: int, batch_size: int, total_steps: int, seed: int, device: torch.device, first: int = 0
) -> Iterator[Tensor]:
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
