"""Makes universal perturbations on the images that curvature bases are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.attacks import UAP
from advlab.lab import Arrays, NetworkContext

from .curvature_params import source_images


def source_samples(ctx: NetworkContext, count: int) -> tuple[Tensor, Tensor]:
    """(n, C, H, W) images of the split that bases are made of, in a seeded order, and (n,) their classes by the network."""
    images, samples = source_images(ctx)
    order = np.random.default_rng([ctx.settings.run.seed, 2018]).permutation(samples)[:count]
    x = images.images(torch.from_numpy(order))
    return x, ctx.forward(x).argmax(1)


def make_uap(ctx: NetworkContext, attack: UAP, count: int) -> tuple[Arrays, Mapping[str, Any]]:
    """Arrays and facts of the stage of a universal perturbation made on `count` images: `universal` (C, H, W)."""
    x, predictions = source_samples(ctx, count)
    result = ctx.attack(attack, x, predictions)
    assert result.universal is not None
    return {"universal": result.universal.cpu().numpy()}, {"fooling_rate": result.facts["fooling_rate"]}
