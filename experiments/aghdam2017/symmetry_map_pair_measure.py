"""Two orders of one perturbation's elements of which one keeps the class and the other loses it: the pair of figure 2."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from advlab.lab import NetworkContext
from advlab.metrics.error_probability import error_probability
from advlab.probes.draws import norms
from advlab.probes.permutations import Permutations
from advlab.probes.sweep import Directions, sphere_batches

#: `sample` (index in the split), `radius` (index in probe.radii), and the trials `kept` and `lost`: as plain JSON in the plan.
Pair = dict[str, int]


def first_pair(ctx: NetworkContext, sample: int, reading: int, *, below: int) -> Pair | None:
    """The pair of one sample at the smallest radius that has one: the highest score that keeps, the lowest that loses.

    Args:
        ctx: the run.
        sample: index in the split.
        reading: of the radius, place in `probe.readings`.
        below: only radii of an index below it are tried, in ascending order.

    Returns:
        None where no radius has both.
    """
    probe, forward = ctx.settings.probe, ctx.forward
    chosen = probe.readings[reading]
    one = replace(probe, norm=[chosen.norm], pixel_scale=[chosen.pixel_scale])
    error = torch.full((below, probe.trials), math.nan, dtype=torch.float64)
    correct = torch.zeros(error.shape, dtype=torch.bool)
    with torch.inference_mode():
        x, labels = ctx.images_and_labels([sample])
        for batch in sphere_batches(x, [sample], one, Permutations(ctx.draws), ctx.execution, radii=range(below)):
            units = slice(batch.first, batch.first + batch.units)
            stop = batch.start + len(batch.images) // batch.units
            of_batch, is_correct = error_probability(forward(batch.images), labels)
            error[units, batch.start : stop] = of_batch.view(batch.units, -1).cpu()
            correct[units, batch.start : stop] = is_correct.view(batch.units, -1).cpu()
            if stop < probe.trials:  # the radius is not complete yet
                continue
            for k in range(units.start, units.stop):
                finite = torch.isfinite(error[k])
                keeps, loses = correct[k] & finite, ~correct[k] & finite
                if keeps.any() and loses.any():
                    kept = error[k].where(keeps, torch.inf).argmin()
                    lost = error[k].where(loses, -torch.inf).argmax()
                    return {"sample": sample, "radius": k, "kept": int(kept), "lost": int(lost)}
    return None


def perturbation(
    ctx: NetworkContext, draws: Directions, sample: int, radius: int, reading: int, trial: int = 0
) -> Tensor:
    """(D,) float64 on the host: one direction of `draws` at a (sample, radius), scaled to it; pixels in [0, 1]."""
    probe = ctx.settings.probe
    v = torch.empty((1, 1, draws.size), device=ctx.device)
    draws.write_directions([(sample, radius)], v, trial)
    direction = v[0, 0].cpu().double()
    chosen = probe.readings[reading]
    length = float(norms(direction, chosen.norm).clamp_min(1e-30))
    return direction * (probe.radii[radius] / chosen.pixel_scale / length)


def rms(v: Tensor) -> float:
    """Root mean square of a perturbation of pixels in [0, 1], in grey levels."""
    return 255 * float(v.norm()) / math.sqrt(v.numel())
