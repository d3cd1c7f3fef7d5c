"""The batched sweep over samples, radii, readings and trials that the experiments on spheres share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from advlab.data.images import Shape
from advlab.models.forward import Execution
from advlab.probes.draws import norms
from advlab.probes.sphere import Sphere

NOISE_BYTES = 1 << 23  # of noise that is drawn at once


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
    """Perturbed images of some units, one reading. The tensors are valid until the next batch is asked for.

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


def parts(total: int, largest: int) -> list[tuple[int, int]]:
    """[0, total) cut into the fewest ranges of at most `largest`, as equal as can be."""
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
    # the draws are cheapest per whole unit; batches are whole units, or equal parts of one
    group = max(1, execution.batch_size // probe.trials)
    pieces = parts(probe.trials, execution.batch_size)
    longest = max(stop - start for start, stop in pieces)
    # and several batches at once while they stay in the cache: between forwards the other cores go to sleep
    ahead = max(1, NOISE_BYTES // (4 * group * probe.trials * draws.size)) if len(pieces) == 1 else 1
    noise = torch.empty(ahead * group * longest * draws.size if units else 0, device=images.device)
    buffer = torch.empty((group * longest if units else 0, *shape), device=images.device)
    buffer = buffer.contiguous(memory_format=execution.torch_format)
    radius = torch.tensor(probe.radii, dtype=torch.float64)
    for several in range(0, len(units), ahead * group):
        drawn = units[several : several + ahead * group]
        for start, stop in pieces:
            trials = stop - start
            size = (len(drawn), trials, draws.size)
            directions = noise[: math.prod(size)].view(size)
            draws.write_directions([(samples[i], k) for i, k in drawn], directions, start)
            wanted = radius[[k for _, k in drawn]]
            lengths = {norm: norms(directions, norm).clamp_min(1e-30) for norm in {r.norm for r in probe.readings}}
            scales = [
                (wanted / reading.pixel_scale).float().to(images.device)[:, None] / lengths[reading.norm]
                for reading in probe.readings
            ]
            for first in range(0, len(drawn), group):
                chunk = drawn[first : first + group]
                v = directions[first : first + group]
                clean = images[[i for i, _ in chunk]][:, None]
                x = buffer[: len(chunk) * trials]
                for index, reading_scales in enumerate(scales):
                    scale = reading_scales[first : first + group, :, None, None, None]
                    torch.addcmul(
                        clean, v.view(len(chunk), trials, *shape), scale, out=x.unflatten(0, (len(chunk), trials))
                    )
                    if probe.clip:
                        x.clamp_(0, 1)
                    yield Batch(index, several + first, len(chunk), start, v, x)
