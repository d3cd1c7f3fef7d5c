"""Two orders of one perturbation's elements of which one keeps the class and the other loses it: the pair of figure 2."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from .spheres import images_and_labels

if TYPE_CHECKING:
    from torch import Tensor

    from advlab.lab.context import Context
    from advlab.probes.sweep import Directions


def first_pair(ctx: Context, sample: int, reading: int, *, below: int) -> dict[str, int] | None:
    """The pair of one sample at the smallest radius that has one: the highest score that keeps, the lowest that loses.

    Args:
        ctx: the run.
        sample: index in the split.
        reading: of the radius, place in `probe.readings`.
        below: only radii of an index below it are tried, in ascending order.

    Returns:
        `sample`, the index `radius`, and the trials `kept` and `lost`; None where no radius has both.
    """
    import torch

    from advlab.metrics.error_probability import error_probability
    from advlab.probes.permutations import Permutations
    from advlab.probes.sweep import sphere_batches

    probe, forward = ctx.settings.probe, ctx.forward
    assert forward is not None
    assert ctx.execution is not None
    chosen = probe.readings[reading]
    one = replace(probe, norm=[chosen.norm], pixel_scale=[chosen.pixel_scale])
    q = torch.full((below, probe.trials), math.nan, dtype=torch.float64)
    hit = torch.zeros(q.shape, dtype=torch.bool)
    with torch.inference_mode():
        x, labels = images_and_labels(ctx, [sample])
        for batch in sphere_batches(x, [sample], one, Permutations(ctx.draws), ctx.execution, radii=range(below)):
            units = slice(batch.first, batch.first + batch.units)
            stop = batch.start + len(batch.images) // batch.units
            deficit, correct = error_probability(forward(batch.images), labels)
            q[units, batch.start : stop] = deficit.view(batch.units, -1).cpu()
            hit[units, batch.start : stop] = correct.view(batch.units, -1).cpu()
            for k in range(units.start, units.stop if stop == probe.trials else units.start):
                finite = torch.isfinite(q[k])
                if (hit[k] & finite).any() and (~hit[k] & finite).any():
                    kept = q[k].where(hit[k] & finite, torch.inf).argmin()
                    lost = q[k].where(~hit[k] & finite, -torch.inf).argmax()
                    return {"sample": sample, "radius": k, "kept": int(kept), "lost": int(lost)}
    return None


def perturbation(ctx: Context, draws: Directions, sample: int, radius: int, reading: int, trial: int = 0) -> Tensor:
    """(D,) float64 on the host: one direction of `draws` at a (sample, radius), scaled to it; pixels in [0, 1]."""
    import torch

    from advlab.probes.draws import norms

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
