"""The batched sweep over samples, radii, readings and trials that the experiments on spheres share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from advlab.data.content import Shape
from advlab.models.forward import Execution
from advlab.probes.draws import norms
from advlab.probes.sphere import Sphere

NOISE_BYTES = 1 << 23  # directions that are drawn at once take at most so much memory, unless one batch needs more


class Directions(Protocol):
    """Where perturbations come from, before they are scaled: noise, its permutations, or adversarial directions.

    Attributes:
        size: D, values an image.
    """

    size: int

    def write_directions(self, units: Sequence[tuple[int, int]], out: Tensor, start: int = 0) -> None:
        """Write the directions of several (sample, radius) into (units, trials, D), from trial `start` on."""


@dataclass(frozen=True)
class Batch:
    """Perturbed images of some units, one reading; a unit is one (sample, radius).

    The tensors are valid until the next batch is asked for, which is written into the same memory.

    Attributes:
        reading: index into `probe.readings`.
        first: index of the first unit; units run over samples, and within them over radii.
        units: number of units.
        start: first trial.
        noise: (units, trials, D) directions U(-1, 1), before scaling.
        images: (units * trials, C, H, W) perturbed images in [0, 1] units.
    """

    reading: int
    first: int
    units: int
    start: int
    noise: Tensor
    images: Tensor


def equal_ranges(total: int, largest: int) -> list[tuple[int, int]]:
    """(start, stop) of the fewest ranges of at most `largest` that cover [0, total), as equal as can be."""
    count = -(-total // largest)
    edges = [total * i // count for i in range(count + 1)]
    return list(itertools.pairwise(edges))


def sphere_batches(
    images: Tensor,
    samples: Sequence[int],
    probe: Sphere,
    draws: Directions,
    execution: Execution,
    radii: Sequence[int] | None = None,
) -> Iterator[Batch]:
    """All perturbed images x + r v / ||v|| (eq 4), in batches; each direction serves every reading.

    Args:
        images: (n, C, H, W) clean images in [0, 1].
        samples: (n,) their indices in the dataset, which the draws depend on.
        probe: radii, trials, readings and clipping.
        draws: gives the directions.
        execution: batch size and memory format.
        radii: indices into `probe.radii`; all when None.
    """
    shape: Shape = (images.shape[1], images.shape[2], images.shape[3])
    chosen = range(len(probe.radii)) if radii is None else radii
    units = [(i, k) for i in range(len(samples)) for k in chosen]
    # a unit is cheapest drawn whole: a batch is several whole units, or one of several equal parts of one unit
    units_per_batch = max(1, execution.batch_size // probe.trials)
    trial_ranges = equal_ranges(probe.trials, execution.batch_size)
    longest = max(stop - start for start, stop in trial_ranges)
    # the directions of several batches are drawn at once while they fit into the processor's cache, because the other
    # cores go to sleep between two forwards
    batches_per_draw = (
        max(1, NOISE_BYTES // (4 * units_per_batch * probe.trials * draws.size)) if len(trial_ranges) == 1 else 1
    )
    units_per_draw = batches_per_draw * units_per_batch
    noise = torch.empty(units_per_draw * longest * draws.size if units else 0, device=images.device)
    buffer = torch.empty((units_per_batch * longest if units else 0, *shape), device=images.device)
    buffer = buffer.contiguous(memory_format=execution.torch_format)
    # what each unit needs lies on the device from the beginning: a copy from the host would wait for the forwards before it
    sample_of_unit = torch.arange(len(units), device=images.device) // max(1, len(chosen))
    radius = torch.tensor([probe.radii[k] for k in chosen], dtype=torch.float64)
    wanted = [(radius / r.pixel_scale).float().to(images.device).repeat(len(samples)) for r in probe.readings]
    for first_drawn in range(0, len(units), units_per_draw):
        drawn = units[first_drawn : first_drawn + units_per_draw]
        for start, stop in trial_ranges:
            trials = stop - start
            size = (len(drawn), trials, draws.size)
            directions = noise[: math.prod(size)].view(size)
            draws.write_directions([(samples[i], k) for i, k in drawn], directions, start)
            lengths = {norm: norms(directions, norm).clamp_min(1e-30) for norm in {r.norm for r in probe.readings}}
            of_drawn = slice(first_drawn, first_drawn + len(drawn))
            scales = [
                of_units[of_drawn, None] / lengths[reading.norm]
                for of_units, reading in zip(wanted, probe.readings, strict=True)
            ]
            for first in range(0, len(drawn), units_per_batch):
                batch = sample_of_unit[of_drawn][first : first + units_per_batch]
                v = directions[first : first + units_per_batch]
                clean = images[batch][:, None]
                x = buffer[: len(batch) * trials]
                for index, reading_scales in enumerate(scales):
                    scale = reading_scales[first : first + units_per_batch, :, None, None, None]
                    torch.addcmul(
                        clean, v.view(len(batch), trials, *shape), scale, out=x.unflatten(0, (len(batch), trials))
                    )
                    if probe.clip:
                        x.clamp_(0, 1)
                    yield Batch(index, first_drawn + first, len(batch), start, v, x)
