"""The batched sweep over samples, radii, readings and trials that the experiments on spheres share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from advlab.data.images import Shape
from advlab.models.forward import Execution
from advlab.probes.draws import Draws, norms
from advlab.probes.sphere import Sphere


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
    draws: Draws,
    execution: Execution,
    radii: Sequence[int] | None = None,
) -> Iterator[Batch]:
    """All perturbed images x + r v / ||v|| (eq 4), in batches; each direction serves every reading.

    Args:
        images: (n, C, H, W) clean images in [0, 1].
        samples: (n,) their indices in the dataset, which the draws depend on.
        probe: radii, trials, readings and clipping.
        draws: the noise.
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
    work = [
        (first, units[first : first + group], start, stop)
        for first in range(0, len(units), group)
        for start, stop in pieces
    ]
    # two buffers: the next batch's noise is drawn while this one's images go through the network
    noise = [torch.empty(group * longest * draws.size, device=images.device) for _ in range(min(2, len(work)))]
    buffer = torch.empty((group * longest if work else 0, *shape), device=images.device)
    buffer = buffer.contiguous(memory_format=execution.torch_format)
    radius = torch.tensor(probe.radii, dtype=torch.float64)

    def begin(number: int) -> tuple[Tensor, Callable[[], None]]:
        _, chunk, start, stop = work[number]
        size = (len(chunk), stop - start, draws.size)
        v = noise[number % 2][: math.prod(size)].view(size)
        return v, draws.begin([(samples[i], k) for i, k in chunk], v, start)

    ahead = begin(0) if work else None
    for number, (first, chunk, start, stop) in enumerate(work):
        assert ahead is not None
        v, finish = ahead
        finish()
        ahead = begin(number + 1) if number + 1 < len(work) else None
        trials = stop - start
        clean = images[[i for i, _ in chunk]][:, None]
        wanted = radius[[k for _, k in chunk]]
        x = buffer[: len(chunk) * trials]
        lengths: dict[str, Tensor] = {}
        for index, reading in enumerate(probe.readings):
            if reading.norm not in lengths:
                lengths[reading.norm] = norms(v, reading.norm).clamp_min(1e-30)
            target = (wanted / reading.pixel_scale).float().to(images.device)
            scale = (target[:, None] / lengths[reading.norm])[:, :, None, None, None]
            torch.addcmul(clean, v.view(len(chunk), trials, *shape), scale, out=x.unflatten(0, (len(chunk), trials)))
            if probe.clip:
                x.clamp_(0, 1)
            yield Batch(index, first, len(chunk), start, v, x)
