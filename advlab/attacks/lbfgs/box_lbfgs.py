"""L-BFGS inside a box for many independent problems at once: each row has its own history, step length and end."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

ARMIJO = 1e-4
BACKTRACKS = 12  # rejected steps in a row before a row gives up
GRADIENT = 1e-5  # largest projected gradient that counts as zero: scipy's gtol


class BoxLBFGS:
    """Minimises n functions of D variables in lockstep; the caller evaluates them at `points()` and calls `tell`.

    A projected quasi-Newton method: the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4) on the variables
    that are free to move, then backtracking along the projected path (Bertsekas 1982). A row never waits for another:
    one evaluation is a step's trial here and a fresh start there.

    Args:
        low: (n, D) lower bounds; kept, and written to by `place`.
        high: (n, D) upper bounds; likewise.
        history: correction pairs.
        max_iter: accepted steps of a run.

    Attributes:
        z: (n, D) the point that each row has reached.
        value: (n,) the function there.
        iterations: (n,) accepted steps of the present run.
        accepted: (n,) bool: the last `points` are what is now `z`.
        fresh: (n,) bool: the next of `points` is where a run begins.
    """

    def __init__(self, low: Tensor, high: Tensor, *, history: int, max_iter: int) -> None:
        n, size = low.shape
        self.low, self.high, self.max_iter = low, high, max_iter
        self.z, self.gradient, self.step = torch.zeros_like(low), torch.zeros_like(low), torch.zeros_like(low)
        self.value, self.length, self.first = low.new_zeros(n), low.new_ones(n), low.new_ones(n)
        self.s, self.y = low.new_zeros(n, history, size), low.new_zeros(n, history, size)
        self.head, self.pairs, self.iterations, self.rejected = torch.zeros(4, n, dtype=torch.int64, device=low.device)
        self.fresh = torch.ones(n, dtype=torch.bool, device=low.device)
        self.accepted = self.fresh.clone()
        eps = torch.finfo(low.dtype).eps
        self.tolerance = max(1e7 * torch.finfo(torch.float64).eps, 10 * eps)  # scipy's ftol, or what the type resolves
        self.curvature = eps

    def place(self, rows: Tensor, low: Tensor, high: Tensor) -> None:
        """Give `rows` to new problems with these bounds (k, D); `restart` begins them."""
        self.low[rows], self.high[rows] = low, high
        # what earlier runs left behind must not meet a mask as NaN
        self.s[rows], self.y[rows], self.step[rows], self.gradient[rows] = 0.0, 0.0, 0.0, 0.0

    def restart(self, rows: Tensor, z: Tensor, first: Tensor) -> None:
        """Begin a new run of some rows at `z` (k, D); `first` (k,): the longest factor of the first gradient step."""
        self.z[rows], self.first[rows] = z, first
        self.fresh[rows] = True
        for counter in (self.pairs, self.head, self.iterations, self.rejected):
            counter[rows] = 0
        self.length[rows] = 1.0

    def points(self) -> Tensor:
        """(n, D) inside the box, to be evaluated."""
        trial = torch.addcmul(self.z, self.step, self.length[:, None])
        torch.clamp(trial, self.low, self.high, out=trial)
        return torch.where(self.fresh[:, None], self.z, trial)

    def tell(self, points: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        """Take the values (n,) and gradients (n, D) at `points`; gives (n,) bool, the rows whose run has ended.

        A row that starts at a value or gradient that is not finite ends at once, with that value.
        """
        finite = torch.isfinite(value) & torch.isfinite(gradient).all(1)
        moved = points - self.z
        slope = (self.gradient * moved).sum(1)
        enough = value <= self.value + ARMIJO * slope
        accepted = (self.fresh | enough) & finite
        stepped = accepted & ~self.fresh
        scale = torch.maximum(torch.maximum(self.value.abs(), value.abs()), torch.ones_like(value))
        settled = stepped & (self.value - value <= self.tolerance * scale)
        self._remember(stepped, moved, gradient - self.gradient)
        # the minimiser of the parabola through both values and the slope, held away from the ends
        bend = 2 * (value - self.value - slope)
        shorter = torch.where(finite & (bend > 0), -slope / bend, 0.1).clamp(0.1, 0.5)
        self.length = torch.where(accepted, 1.0, self.length * shorter)
        self.rejected = torch.where(accepted, 0, self.rejected + 1)
        self.iterations += stepped
        self.z = torch.where(accepted[:, None], points, self.z)
        self.gradient = torch.where(accepted[:, None], gradient, self.gradient)
        self.accepted = accepted
        failed = self.fresh & ~finite
        self.value = torch.where(accepted, value, torch.where(failed, torch.nan, self.value))
        self.fresh = torch.zeros_like(self.fresh)
        stuck = self._turn(accepted)
        return failed | settled | stuck | (self.iterations >= self.max_iter) | (self.rejected > BACKTRACKS)

    def _remember(self, rows: Tensor, s: Tensor, y: Tensor) -> None:
        """Keep the correction pairs of rows with positive curvature, in place of the oldest."""
        kept = (rows & ((s * y).sum(1) > self.curvature * (y * y).sum(1))).nonzero()[:, 0]
        self.s[kept, self.head[kept]], self.y[kept, self.head[kept]] = s[kept], y[kept]
        history = self.s.shape[1]
        self.head[kept] = (self.head[kept] + 1) % history
        self.pairs[kept] = (self.pairs[kept] + 1).clamp_(max=history)

    def _turn(self, rows: Tensor) -> Tensor:
        """New directions for `rows` (n,) bool; gives (n,) bool: rows that cannot improve."""
        g = self.gradient
        at_low, at_high = self.z <= self.low, self.z >= self.high
        free = ~((at_low & (g > 0)) | (at_high & (g < 0)))
        projected = g * free
        reach = (torch.clamp(self.z - g, self.low, self.high) - self.z).abs().amax(1)
        step = self._two_loops(projected, free)
        # at a bound, what would leave the box is not part of the path
        step.masked_fill_((at_low & (step < 0)) | (at_high & (step > 0)) | ~free, 0.0)
        norm = torch.linalg.vector_norm(projected, dim=1)
        slope = (g * step).sum(1)
        uphill = ~(slope < -1e-10 * norm * torch.linalg.vector_norm(step, dim=1))
        plain = uphill | (self.pairs == 0)
        factor = torch.minimum(self.first, 1 / norm.clamp(min=torch.finfo(g.dtype).tiny))
        step = torch.where(plain[:, None], -factor[:, None] * projected, step)
        self.pairs = torch.where(rows & plain, 0, self.pairs)
        self.step = torch.where(rows[:, None], step, self.step)
        return rows & ((reach <= GRADIENT) | ~torch.isfinite(norm))

    def _two_loops(self, gradient: Tensor, free: Tensor) -> Tensor:
        """(n, D): minus the inverse Hessian's estimate on the free variables, times `gradient`."""
        history, everyone = self.s.shape[1], torch.arange(len(gradient), device=gradient.device)
        q = -gradient
        kept = []
        newest = torch.ones_like(self.value)
        for age in range(int(self.pairs.max()) if len(self.pairs) else 0):
            slot = (self.head - 1 - age) % history
            s, y = self.s[everyone, slot] * free, self.y[everyone, slot] * free
            sy, yy = (s * y).sum(1), (y * y).sum(1)
            usable = (age < self.pairs) & (sy > self.curvature * yy)
            rho = torch.where(usable, 1 / sy, 0.0)
            alpha = rho * (s * q).sum(1)
            q = torch.addcmul(q, y, -alpha[:, None])
            newest = torch.where(usable & (newest == 1), sy / yy, newest)
            kept.append((s, y, rho, alpha))
        q = q * newest[:, None]
        for s, y, rho, alpha in reversed(kept):
            beta = rho * (y * q).sum(1)
            q = torch.addcmul(q, s, (alpha - beta)[:, None])
        return q


def compact(owner: Any, gone: Tensor) -> None:
    """Take the rows `gone` (k,) out of every tensor that `owner` has; the last rows move into the holes.

    Shorter copies than a selection of what stays, and the order of rows does not matter.
    """
    tensors = {name: value for name, value in vars(owner).items() if isinstance(value, Tensor)}
    n = len(next(iter(tensors.values())))
    left = torch.ones(n, dtype=torch.bool, device=gone.device)
    left[gone] = False
    kept = n - len(gone)
    holes, movers = (~left[:kept]).nonzero()[:, 0], left[kept:].nonzero()[:, 0] + kept
    for name, value in tensors.items():
        value[holes] = value[movers]
        setattr(owner, name, value[:kept])
