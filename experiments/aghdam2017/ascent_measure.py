"""How large the Jacobian of a layer becomes inside the box of images, by ascent: the global constant of eq 8 is no less."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from advlab.geometry.jacobian import spectral_norm
from advlab.geometry.norm_ascent import FIRST_PRODUCTS, PRODUCTS, ascend_jacobian_norm
from advlab.lab import Arrays, Cost, NetworkContext

from .layer_features import features_of

RANKING_PRODUCTS = 10  # with the Jacobian at each sample, to see which have the largest


def ascended_norms(ctx: NetworkContext, layer: str, *, starts: int, steps: int) -> tuple[Arrays, dict[str, Any]]:
    """Norms of the Jacobian at the ends of ascents from the samples where it is largest, then from random images.

    Returns:
        `norms` (2 starts,) float64, fewer with fewer samples; and no facts.
    """
    phi, run = partial(features_of, ctx.classifier, layer), ctx.settings.run
    x, _ = ctx.images_and_labels(ctx.prepared["samples"])
    ranking = ctx.in_batches(lambda batch: spectral_norm(phi, x, max_iter=RANKING_PRODUCTS, batch_size=batch), images=0)
    largest = ranking.value.nan_to_num(-1).topk(min(starts, len(x))).indices
    generator = torch.Generator().manual_seed(run.seed)
    noise = torch.rand((starts, *x.shape[1:]), generator=generator).to(x)
    images = torch.cat([x[largest.to(x.device)], noise])
    found = ctx.in_batches(
        lambda batch: ascend_jacobian_norm(phi, images, steps=steps, batch_size=batch, seed=run.seed), images=0
    )
    products = len(x) * ranking.iterations
    ctx.count(forwards=len(x) + products + found.forwards, backwards=products + found.backwards)
    return {"norms": found.value.numpy()}, {}


def ascent_cost(samples: int, *, starts: int, steps: int) -> Cost:
    """Of one layer's ascents, at most."""
    ranking, ends = samples * RANKING_PRODUCTS, starts + min(starts, samples)
    return Cost(
        forwards=samples + ranking + ends * (1 + 3 * steps),
        backwards=ranking + 2 * ends * (FIRST_PRODUCTS + (1 + PRODUCTS) * steps),
    )
