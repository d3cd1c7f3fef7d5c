"""What the search along a ray knows: before the first look, or after a scan that classifies at every step."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from advlab.attacks.gradient_search.params import Search
from advlab.attacks.gradient_search.rays import Rays


@dataclass(frozen=True)
class State:
    """What is known of the rays whose search goes on; weights are in steps of the scan.

    Nothing up to `a` flips; `b` does not, but something between `a` and `b` might; `f` flips.

    Attributes:
        row: (n,) of the rays.
        p, a, b, f, bad: (n,) float64: `p` was `a` before, NaN at first; `b` is NaN and `f` infinite where there is none;
            at `bad` a logit is not finite, infinite where there is none.
        lp, la, lb, lf: (n, K - 1) leads there.
        turn: (n, K - 1) half the second derivative of the leads, from the last weights.
        bend: (n,) its largest absolute value so far over the classes, NaN at first.
        steps: (n,) forwards.
    """

    row: Tensor
    p: Tensor
    a: Tensor
    b: Tensor
    f: Tensor
    bad: Tensor
    lp: Tensor
    la: Tensor
    lb: Tensor
    lf: Tensor
    turn: Tensor
    bend: Tensor
    steps: Tensor

    def keep(self, mask: Tensor) -> State:
        """Some of the rays."""
        return State(**{f.name: getattr(self, f.name)[mask] for f in fields(self)})


def begin(rays: Rays, params: Search) -> State:
    """Before the first look: nothing is known but the images themselves."""
    row = torch.arange(len(rays), device=rays.eta.device)
    zero = torch.zeros(len(rays), dtype=torch.float64, device=rays.eta.device)
    logits = rays.problem.logits[rays.image].clone()
    if rays.discrete:  # images that are not in whole grey levels change even at w = 0
        moved = (rays.at(row, zero) != rays.problem.x[rays.image]).flatten(1).any(1).nonzero()[:, 0]
        logits[moved] = rays.logits(moved, zero[moved])
    leads, threshold = rays.leads(logits, row)
    leads, flips = leads.double(), rays.best(leads) > threshold
    nothing, nowhere = torch.full_like(leads, torch.nan), zero + torch.nan
    return State(
        row=row, p=nowhere, a=zero, b=nowhere, f=pick(flips, zero, zero + torch.inf),
        bad=pick(torch.isnan(threshold), zero, zero + torch.inf), lp=nothing, la=leads, lb=nothing, lf=nothing,
        turn=torch.zeros_like(leads), bend=nowhere, steps=torch.zeros_like(row),
    )  # fmt: skip


def scan(state: State, rays: Rays, params: Search) -> State:
    """Classify at every step in ascending order, until the first flip of each ray; then `a` and `f` are one step apart."""
    step, end = params.resolution, params.largest / params.resolution
    last = math.ceil(end - 1e-9)
    a, f, bad, la, lf, steps = (t.clone() for t in (state.a, state.f, state.bad, state.la, state.lf, state.steps))
    rows = (torch.isinf(f) & torch.isinf(bad)).nonzero()[:, 0]
    i = 1
    while len(rows) and i <= last:
        size = min(max(1, rays.problem.batch_size // len(rows)), last + 1 - i)
        c = torch.arange(i, i + size, device=a.device, dtype=a.dtype).clamp(max=end)
        each = rows.repeat_interleave(size)
        leads, threshold = rays.leads(rays.logits(each, c.repeat(len(rows)) * step), each)
        broken = torch.isnan(threshold).view(-1, size)
        hit = (rays.best(leads) > threshold).view(-1, size)
        over = hit | broken
        first = torch.where(over.any(1), over.int().argmax(1), size)  # of this block
        path = torch.cat([la[rows, None], leads.double().view(len(rows), size, -1)], 1)
        place = torch.arange(len(rows), device=a.device)
        la[rows], a[rows] = path[place, first], torch.cat([a[rows, None], c.expand(len(rows), -1)], 1)[place, first]
        ends = over.any(1)
        index, at = rows[ends], first[ends]
        lf[index] = path[place[ends], at + 1]
        flips = hit[place[ends], at]
        f[index] = torch.where(flips, c[at], torch.inf)
        bad[index] = torch.where(flips, torch.inf, c[at])
        steps[rows] += (first + 1).clamp(max=size)
        i += size
        best = f.new_full((len(rays.problem),), torch.inf).scatter_reduce_(0, rays.image, f, "amin")
        rows = rows[~ends & (best[rays.image[rows]] >= i)]
    return replace(state, a=a, f=f, bad=bad, la=la, lf=lf, steps=steps)


def pick(mask: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """Rows of `new` (n, ...) where the mask (n,) says so, else of `old`."""
    return torch.where(mask.view(-1, *[1] * (new.ndim - 1)), new, old)
