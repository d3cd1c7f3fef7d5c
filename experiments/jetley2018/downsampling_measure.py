"""Perturbs resampled images, and attacks the network with the resampling in front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.attacks.norms import norms_of_each
from advlab.defenses import Resample
from advlab.defenses.transforms.separable import DownAndUp
from advlab.errors import ConfigError
from advlab.lab import Cell, NetworkContext
from advlab.models.forward import Forward
from advlab.probes.selection import order

from .curvature_params import training_images
from .downsampling import PAPER_SIDE, PAPER_SIZES, SPANNING_IMAGES, SPANNING_VALUES, Downsampling, DownsamplingRow
from .downsampling_stages_measure import deepfool
from .predictions_measure import predicted


def prepare(experiment: Downsampling, ctx: NetworkContext) -> dict[str, Any]:
    """`samples` of the measured split, `others` of the split `split`, and the descending `sizes`, first the images' own.

    Without a training split that is not measured, the second half of the measured one is not measured, and the others are of it.

    Raises:
        ConfigError: a size is larger than the images.
    """
    params, side = experiment.params, min(ctx.data.shape[1:])
    shares = [max(1, round(side * size / PAPER_SIDE)) for size in PAPER_SIZES]
    sizes = params.sizes or [size for size in shares if size < side]
    if max(sizes, default=0) > side:
        raise ConfigError(f"experiment.sizes={params.sizes}: the images have {side} pixels a side: take smaller ones")
    candidates = ctx.order()
    many = params.spanning or max(1, min(SPANNING_IMAGES, SPANNING_VALUES // ctx.values_per_image))
    training = training_images(ctx)
    if training is None:
        half = (len(candidates) + 1) // 2
        split, measured, others = ctx.data.split, candidates[:half], candidates[half:]
    else:
        split, measured = training.split, candidates
        others = [int(i) for i in order(training, ctx.settings.run.seed)]
    return {
        "samples": measured[: params.samples], "split": split, "others": others[:many],
        "sizes": sorted({side, *sizes}, reverse=True),
    }  # fmt: skip


def measure(experiment: Downsampling, ctx: NetworkContext, cell: Cell) -> list[DownsamplingRow]:
    """The rows of some images: at each size those of transferred and random perturbations, then of the attacks that know it."""
    samples = cell.payload["samples"]
    x, labels = ctx.images_and_labels(samples)
    mean = torch.from_numpy(ctx.stage("mean").arrays["mean"]).to(x)
    delta, found = deepfool(ctx, x, ctx.forward)
    noise = random_directions(ctx, samples, x)
    rows: list[DownsamplingRow] = []
    for size in ctx.prepared["sizes"]:
        network = ctx.defended(Resample(size=size, centred=True, mean=mean)) if size < min(x.shape[2:]) else ctx.forward
        images = ResampledImages(samples, labels, x, size, mean, network)
        resampled_noise = norms_of_each(images.resampled(noise), "l2")
        scale = norms_of_each(images.resampled(delta), "l2") / resampled_noise
        for factor in experiment.params.factors:
            rows += images.rows("transfer", factor, delta, found)
            rows += images.rows("random", factor, scale[:, None, None, None] * noise, found)
        if network is not ctx.forward:
            rows += images.rows("white_box", 1.0, *deepfool(ctx, x, network))
        if size in experiment.confined_sizes(ctx):
            basis = torch.from_numpy(ctx.stage(f"span-{size}").arrays["directions"]).to(x)
            for attack, attacked in (("confined", network), ("confined_original", ctx.forward)):
                rows += images.rows(attack, 1.0, *deepfool(ctx, x, attacked, basis=basis), directions=basis.shape[1])
    return rows


def random_directions(ctx: NetworkContext, samples: Sequence[int], x: Tensor) -> Tensor:
    """Gaussian noise as `x` (n, C, H, W), that of a sample by the run's seed and the sample alone."""
    draws = [np.random.default_rng([ctx.settings.run.seed, sample]).standard_normal(x.shape[1:]) for sample in samples]
    return torch.from_numpy(np.stack(draws)).to(x)


class ResampledImages:
    """Images of one cell behind the resampling to one size.

    Args:
        samples: indices in the split.
        labels: (n,) true classes.
        x: (n, C, H, W) images.
        size: d_low.
        mean: the training mean, which is subtracted before the resampling.
        network: with the resampling in front.
    """

    def __init__(
        self, samples: Sequence[int], labels: Tensor, x: Tensor, size: int, mean: Tensor, network: Forward
    ) -> None:
        self.x, self.network, self._resample = x, network, DownAndUp(size)
        height, width = x.shape[2:]
        small = (round(side * size / min(height, width)) for side in (height, width))
        self._common: dict[str, Any] = {"size": size, "dimensions": math.prod([x.shape[1], *small])}
        self._columns: dict[str, list[Any]] = {
            "label": labels.tolist(), "clean_prediction": predicted(network, x).tolist(), "sample": list(samples),
            "image_norm": norms_of_each(self.resampled(x - mean), "l2").tolist(),
        }  # fmt: skip

    def resampled(self, values: Tensor) -> Tensor:
        """Deviations (n, C, H, W) after the resampling."""
        return self._resample.transform(values, None)

    def rows(
        self, attack: str, factor: float, delta: Tensor, found: Tensor, directions: int = 0
    ) -> list[DownsamplingRow]:
        """A row for each image under its perturbation (n, C, H, W), times the factor."""
        perturbation = factor * delta
        columns = self._columns | {
            "prediction": predicted(self.network, self.x + perturbation).tolist(),
            "found": found.tolist(),
            "norm": norms_of_each(perturbation, "l2").tolist(),
            "resampled_norm": norms_of_each(self.resampled(perturbation), "l2").tolist(),
        }
        common = self._common | {"attack": attack, "factor": factor, "directions": directions}
        return [
            DownsamplingRow(**common, **dict(zip(columns, values, strict=True)))
            for values in zip(*columns.values(), strict=True)
        ]
