"""Figure 6 of aghdam2017 with a min-max normaliser for each pixel and each feature, in the place of one for all."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from advlab.lab import Arrays, NetworkContext
from advlab.models.classifier import frozen
from advlab.probes.neighbourhood import layer_groups
from advlab.probes.selection import order
from advlab.probes.sweep import sphere_batches


def element_ranges(ctx: NetworkContext, layers: list[str], images: int) -> tuple[Arrays, dict[str, Any]]:
    """max - min of each pixel and each feature over the first `images` images of the order.

    Returns:
        float32 arrays: `space-0` (D,) of the pixels, `space-1` and on (R,) of each layer's features; and no facts.
    """
    chosen = torch.from_numpy(order(ctx.data, ctx.settings.run.seed)[:images])
    extremes: list[tuple[Tensor, Tensor]] = []  # smallest and largest of each space
    with frozen(ctx.classifier), torch.inference_mode():
        for part in chosen.split(ctx.execution.batch_size):
            x = ctx.data.images(part)
            spaces = [x.flatten(1), *ctx.forward.layer_features(x, layers)[1]]
            of_part = [(space.amin(0), space.amax(0)) for space in spaces]
            extremes = [
                (torch.minimum(low, new_low), torch.maximum(high, new_high))
                for (low, high), (new_low, new_high) in zip(extremes or of_part, of_part, strict=True)
            ]
    return {f"space-{n}": (high - low).float().cpu().numpy() for n, (low, high) in enumerate(extremes)}, {}


def elementwise_lengths(ctx: NetworkContext, samples: list[int], layers: list[str], ranges: Arrays) -> Tensor:
    """Lengths of h(x + v) - h(x) and of g(Phi_L(x + v)) - g(Phi_L(x)) of eq 9, with a normaliser for each element.

    Elements that have no range are left out. The sweep is this reading's own: what other figures keep are lengths.

    Args:
        ctx: of the run.
        samples: indices in the split.
        layers: whose outputs are Phi_L.
        ranges: as `element_ranges` gives them.

    Returns:
        (1 + layers, readings, samples, radii, T) float32: of the image, then of each layer's features; NaN in a space without
        any range.
    """
    probe, x = ctx.settings.probe, ctx.images_and_labels(samples)[0]
    factors = [inverse_ranges(torch.from_numpy(ranges[f"space-{n}"]).to(x.device)) for n in range(1 + len(layers))]
    shape = len(probe.readings), len(samples) * len(probe.radii), probe.trials
    lengths = torch.empty((1 + len(layers), *shape), device=x.device)
    for n, group in enumerate(layer_groups([len(of_layer) for of_layer in factors[1:]], ctx.execution.batch_size)):
        names, with_images = [layers[layer] for layer in group], n == 0
        chosen = [*([0] if with_images else []), *(1 + layer for layer in group)]

        def points_in(images: Tensor, names: list[str] = names, with_images: bool = with_images) -> list[Tensor]:
            features = ctx.forward.layer_features(images, names)[1]
            return [images.flatten(1), *features] if with_images else features

        origins = points_in(x)
        for batch in sphere_batches(x, samples, probe, ctx.draws, ctx.execution):
            units = slice(batch.first, batch.first + batch.units)
            sample = torch.arange(units.start, units.stop, device=x.device) // len(probe.radii)
            for space, origin, points in zip(chosen, origins, points_in(batch.images), strict=True):
                shifts = points.view(batch.units, -1, points.shape[-1]) - origin[sample][:, None]
                trials = slice(batch.start, batch.start + shifts.shape[1])
                lengths[space, batch.reading, units, trials] = torch.linalg.vector_norm(shifts * factors[space], dim=-1)
    return lengths.unflatten(2, (len(samples), len(probe.radii)))


def inverse_ranges(ranges: Tensor) -> Tensor:
    """1 / range of each element, 0 where there is none; NaN everywhere where no element has one."""
    inverse = torch.where(ranges > 0, 1 / ranges, 0)
    return inverse if bool((ranges > 0).any()) else torch.full_like(inverse, torch.nan)
