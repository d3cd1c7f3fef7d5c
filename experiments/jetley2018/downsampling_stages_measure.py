"""The stages of `downsampling`: the training mean, DeepFool's perturbations of other images, and what they span resampled."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.data.images import ImageData
from advlab.defenses.transforms.separable import DownAndUp
from advlab.errors import MeasurementError
from advlab.lab import Arrays, Cost, NetworkContext, Stage
from advlab.models.forward import Forward
from advlab.probes.selection import order

from .predictions_measure import predicted

MANY_IMAGES = 10_000  # of so many the mean of each pixel is smooth: its noise is of .003 at most
CHANNEL_IMAGES = 1000  # of which the mean of a channel is taken
SMALLEST_SINGULAR_VALUE = 1e-5  # of resampled perturbations, in shares of the largest: below is what float32 rounds


def downsampling_stages(ctx: NetworkContext, *, mean: str, sizes: list[int], cost: tuple[int, int]) -> list[Stage]:
    """The mean, the perturbations of other images, and what they span at each size at which DeepFool is confined.

    Args:
        ctx: of the run.
        mean: which one: auto, image or channel.
        sizes: at which DeepFool is confined.
        cost: forwards and backwards of DeepFool on an image.
    """
    images, others = ctx.split(ctx.prepared["split"]), ctx.prepared["others"]
    key = ctx.key(images=images, version=1, mean=mean, seed=ctx.settings.run.seed)
    stages = [Stage("mean", key, partial(subtracted_mean, ctx, images, mean), kind="training-mean")]
    if sizes:
        attack = ctx.settings.attack
        forwards, backwards = (len(others) * each for each in cost)
        key = ctx.key(images=images, version=1, attack=attack, samples=others)
        make = partial(perturbations, ctx, images, others)
        stages.append(Stage("perturbations", key, make, Cost(forwards, backwards), kind="deepfool-perturbations"))
    for size in sizes:
        span = ctx.key(images=images, version=1, size=size)
        make = partial(spanned, ctx, size)
        stages.append(Stage(f"span-{size}", span, make, kind="resampled-span", stages=("perturbations",)))
    return stages


def subtracted_mean(ctx: NetworkContext, images: ImageData, kind: str) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and facts of a stage: `mean` (C, H, W) or (C, 1, 1) float64 in [0, 1], of each pixel or of each channel."""
    if kind == "auto":
        kind = "image" if isinstance(images.pixels, Tensor) and len(images) >= MANY_IMAGES else "channel"
    if kind == "image":
        return {"mean": images.mean_image().numpy()}, {"kind": kind}
    some = order(images, ctx.settings.run.seed)[:CHANNEL_IMAGES]
    total = torch.zeros(images.shape[0], dtype=torch.float64)
    for part in np.array_split(some, -(-len(some) // 50)):
        total += images.images(torch.from_numpy(part)).cpu().double().mean((2, 3)).sum(0)
    return {"mean": (total / len(some))[:, None, None].numpy()}, {"kind": kind}


def perturbations(ctx: NetworkContext, images: ImageData, samples: list[int]) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and facts of a stage: `delta` (n, C, H, W) of the other images that DeepFool succeeds on, and how many fail."""
    delta, found = deepfool(ctx, images.images_and_labels(samples)[0], ctx.forward)
    return {"delta": delta[found].cpu().numpy()}, {"failed": int((~found).sum())}


def spanned(ctx: NetworkContext, size: int) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and facts of a stage: `directions` (D, r) float32, an orthonormal basis of the span of resampled perturbations.

    The perturbations are of unit length and not centred, as in the authors' code; the decomposition is in float64.

    Raises:
        MeasurementError: there is no perturbation.
    """
    delta = torch.from_numpy(ctx.stage("perturbations").arrays["delta"]).to(ctx.device).double()
    rows = DownAndUp(size).transform(delta, None).flatten(1)
    lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    rows = (rows / lengths)[lengths[:, 0] > 0]
    if not len(rows):
        raise MeasurementError(
            f"DeepFool fooled the network on none of {len(ctx.prepared['others'])} other images, and their perturbations span "
            "nothing: type a larger experiment.spanning, or experiment.confined=0"
        )
    _, values, directions = torch.linalg.svd(rows, full_matrices=False)
    rank = int((values > SMALLEST_SINGULAR_VALUE * values[:1]).sum())
    return {"directions": directions[:rank].T.contiguous().float().cpu().numpy()}, {"perturbations": len(rows)}


def deepfool(ctx: NetworkContext, x: Tensor, network: Forward, **data: Tensor) -> tuple[Tensor, Tensor]:
    """(n, C, H, W) perturbations that leave the network's own classes, and (n,) whether they do.

    Args:
        ctx: attacks.
        x: (n, C, H, W) images.
        network: that is attacked.
        data: `basis` of a confined attack.
    """
    result = ctx.attack(ctx.settings.attack, x, predicted(network, x), network=network, **data)
    return result.adv - x, result.success
