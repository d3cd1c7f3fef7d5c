"""Which images bases are made from, and which are measured: never the same.

Bases come from the training split. A dataset without one, or whose training split is the measured one, gives the second half
of the measured split's seeded order for bases and the first half to be measured.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from advlab.errors import DataError
from advlab.lab import NetworkContext

if TYPE_CHECKING:  # these load torch, and experiments are declared without it
    from torch import Tensor

    from advlab.data.images import ImageData

log = logging.getLogger(__name__)


def has_training_images(ctx: NetworkContext) -> bool:
    """Whether there is a training split beside the measured one."""
    if ctx.data.split in ("train", "all"):
        return False
    try:
        other = ctx.split("train")
    except DataError as error:
        log.info("%s: bases are made from half of the split %s (%s)", ctx.data.name, ctx.data.split, error)
        return False
    return other.digest != ctx.data.digest


def images_of_bases(ctx: NetworkContext, count: int) -> tuple[ImageData, list[int]]:
    """The split that bases are made from, and the first `count` indices into it of a seeded order."""
    from advlab.probes.selection import order  # loads torch

    if has_training_images(ctx):
        data = ctx.split("train")
        return data, [int(i) for i in order(data, ctx.settings.run.seed)[:count]]
    everything = ctx.order()
    return ctx.data, everything[len(everything) // 2 :][:count]


def measured_samples(ctx: NetworkContext, count: int) -> list[int]:
    """The first `count` indices into the measured split of those that no basis is made from, in the run's seeded order."""
    everything = ctx.order()
    return (everything if has_training_images(ctx) else everything[: len(everything) // 2])[:count]


def training_mean(ctx: NetworkContext, samples: list[int]) -> Tensor:
    """(C, H, W) float64 mean training image in [0, 1], on the CPU.

    Args:
        ctx: of the run.
        samples: those of `images_of_bases`, whose mean it is where the images are streamed from files, or where there is no
            training split; otherwise it is that of all training images.
    """
    import torch

    has_training = has_training_images(ctx)
    data = ctx.split("train") if has_training else ctx.data
    if has_training and isinstance(data.pixels, torch.Tensor):
        return data.mean_image()
    parts = [data.images(part).cpu().double().sum(0) for part in torch.tensor(samples).split(ctx.forward.limit)]
    return torch.stack(parts).sum(0) / len(samples)
