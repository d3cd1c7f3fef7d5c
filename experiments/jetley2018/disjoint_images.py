"""The images that bases of singular vectors are made from, none of which is measured, and their mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advlab.lab import NetworkContext

from .curvature_params import source_images, training_images

if TYPE_CHECKING:  # these load torch, and experiments are declared without it
    from torch import Tensor

    from advlab.data.images import ImageData


def images_of_bases(ctx: NetworkContext, count: int) -> tuple[ImageData, list[int]]:
    """The split that bases are made from (see `source_images`), and the first `count` indices into it of a seeded order."""
    from advlab.probes.selection import order  # loads torch

    data, samples = source_images(ctx)
    if data is not ctx.data:
        samples = [int(i) for i in order(data, ctx.settings.run.seed)]
    return data, samples[:count]


def mean_of_bases(ctx: NetworkContext, samples: list[int]) -> Tensor:
    """(C, H, W) float64 mean training image in [0, 1], on the CPU.

    Args:
        ctx: of the run.
        samples: those of `images_of_bases`, whose mean it is where the images are streamed from files, or where there is no
            training split; otherwise it is that of all training images.
    """
    import torch  # experiments are declared without it

    train = training_images(ctx)
    if train and isinstance(train.pixels, torch.Tensor):
        return train.mean_image()
    return (train or ctx.data).mean_image(indices=torch.tensor(samples))
