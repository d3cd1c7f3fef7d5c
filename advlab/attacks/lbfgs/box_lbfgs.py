"""L-BFGS inside a box for many independent problems at once: each row has its own history, step length and end."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

SUFFICIENT_DECREASE = 1e-4  # share of the decrease that the slope promises (Armijo's rule)
MAX_REJECTED = 12  # trial points in a row that may be rejected before a run ends
ZERO_GRADIENT = 1e-5  # largest projected gradient that counts as zero: scipy's gtol


class BoxLBFGS:
    """Minimises n functions of D variables in lockstep; the caller evaluates them at `points()` and calls `tell`.

    A projected quasi-Newton method: the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4) on the variables
    that are free to move, then backtracking along the projected path (Bertsekas 1982). A row never waits for another:
    the same evaluation may be a trial step of one row and the start of a run of another.

    Args:
        low: (n, D) lower bounds; this tensor is kept, and `place` writes to it.
        high: (n, D) upper bounds; likewise.
        history: correction pairs that are kept.
        max_iter: accepted steps of a run, at most.

    Attributes:
        z: (n, D) the point that each row has reached.
        value, gradient: (n,) and (n, D) the function and its gradient there.
        step, step_length: (n, D) and (n,): the next trial point is z + step_length step, clipped to the box.
        first_factor: (n,) largest factor of the gradient at a step without correction pairs.
        s, y: (n, history, D) correction pairs, differences of points and of gradients; the next pair replaces that in the
            slot `oldest` (n,), and `pairs` (n,) of them are in use.
        iterations: (n,) accepted steps of the present run.
        rejected: (n,) trial points rejected in a row.
        accepted: (n,) bool: the last of `points()` is now `z`.
        fresh: (n,) bool: the next of `points()` is where a run begins.
    """

    def __init__(self, low: Tensor, high: Tensor, *, history: int, max_iter: int) -> None:
        n, size = low.shape
        self.low, self.high, self.max_iter = low, high, max_iter
        self.z, self.gradient, self.step = torch.zeros_like(low), torch.zeros_like(low), torch.zeros_like(low)
        self.value, self.step_length, self.first_factor = low.new_zeros(n), low.new_ones(n), low.new_ones(n)
        self.s, self.y = low.new_zeros(n, history, size), low.new_zeros(n, history, size)
        self.oldest, self.pairs, self.iterations, self.rejected = torch.zeros(
            4, n, dtype=torch.int64, device=low.device
        )
        self.fresh = torch.ones(n, dtype=torch.bool, device=low.device)
        self.accepted = self.fresh.clone()
        eps = torch.finfo(low.dtype).eps
        # a decrease by a smaller share ends a run: scipy's ftol, or what the floating-point type resolves
        self.tolerance = max(1e7 * torch.finfo(torch.float64).eps, 10 * eps)
        self.least_curvature = eps

    def place(self, rows: Tensor, low: Tensor, high: Tensor) -> None:
        """Give `rows` to new problems with these bounds (k, D); `restart` begins them."""
        self.low[rows], self.high[rows] = low, high
        # these are multiplied by masks, and a NaN that an earlier problem left behind would survive that
        self.s[rows], self.y[rows], self.step[rows], self.gradient[rows] = 0.0, 0.0, 0.0, 0.0

    def restart(self, rows: Tensor, z: Tensor, first_factor: Tensor) -> None:
        """Begin a new run of some rows (k,) at `z` (k, D).

        Args:
            rows: (k,) which.
            z: (k, D) where.
            first_factor: (k,) largest factor of the gradient in the first step.
        """
        self.z[rows], self.first_factor[rows] = z, first_factor
        self.fresh[rows] = True
        for counter in (self.pairs, self.oldest, self.iterations, self.rejected):
            counter[rows] = 0
        self.step_length[rows] = 1.0

    def points(self) -> Tensor:
        """(n, D) points inside the box, at which the caller evaluates the functions next."""
        trial = torch.addcmul(self.z, self.step, self.step_length[:, None])
        torch.clamp(trial, self.low, self.high, out=trial)
        return torch.where(self.fresh[:, None], self.z, trial)

    def tell(self, points: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        """Take the values (n,) and gradients (n, D) at `points`; gives (n,) bool, the rows whose run has ended.

        A row that starts at a value or gradient that is not finite ends at once, with that value.
        """
        finite = torch.isfinite(value) & torch.isfinite(gradient).all(1)
        moved = points - self.z
        slope = (self.gradient * moved).sum(1)
        decreased = value <= self.value + SUFFICIENT_DECREASE * slope
        accepted = (self.fresh | decreased) & finite
        stepped = accepted & ~self.fresh
        scale = torch.maximum(torch.maximum(self.value.abs(), value.abs()), torch.ones_like(value))
        settled = stepped & (self.value - value <= self.tolerance * scale)
        self._remember(stepped, moved, gradient - self.gradient)
        # the minimiser of the parabola through both values and the slope, held away from the ends
        bend = 2 * (value - self.value - slope)
        shorter = torch.where(finite & (bend > 0), -slope / bend, 0.1).clamp(0.1, 0.5)
        self.step_length = torch.where(accepted, 1.0, self.step_length * shorter)
        self.rejected = torch.where(accepted, 0, self.rejected + 1)
        self.iterations += stepped
        self.z = torch.where(accepted[:, None], points, self.z)
        self.gradient = torch.where(accepted[:, None], gradient, self.gradient)
        self.accepted = accepted
        failed = self.fresh & ~finite
        self.value = torch.where(accepted, value, torch.where(failed, torch.nan, self.value))
        self.fresh = torch.zeros_like(self.fresh)
        stationary = self._choose_steps(accepted)
        return failed | settled | stationary | (self.iterations >= self.max_iter) | (self.rejected > MAX_REJECTED)

    def _remember(self, rows: Tensor, s: Tensor, y: Tensor) -> None:
        """Keep the correction pairs of rows with positive curvature, in place of the oldest."""
        kept = (rows & ((s * y).sum(1) > self.least_curvature * (y * y).sum(1))).nonzero()[:, 0]
        self.s[kept, self.oldest[kept]], self.y[kept, self.oldest[kept]] = s[kept], y[kept]
        history = self.s.shape[1]
        self.oldest[kept] = (self.oldest[kept] + 1) % history
        self.pairs[kept] = (self.pairs[kept] + 1).clamp_(max=history)

    def _choose_steps(self, rows: Tensor) -> Tensor:
        """New steps for the rows that `rows` (n,) bool names; gives (n,) bool: which of them are at a stationary point."""
        g = self.gradient
        at_low, at_high = self.z <= self.low, self.z >= self.high
        free = ~((at_low & (g > 0)) | (at_high & (g < 0)))
        projected = g * free
        largest_move = (torch.clamp(self.z - g, self.low, self.high) - self.z).abs().amax(1)
        step = self._two_loops(projected, free)
        # at a bound, what would leave the box is not part of the path
        step.masked_fill_((at_low & (step < 0)) | (at_high & (step > 0)) | ~free, 0.0)
        norm = torch.linalg.vector_norm(projected, dim=1)
        slope = (g * step).sum(1)
        uphill = ~(slope < -1e-10 * norm * torch.linalg.vector_norm(step, dim=1))
        steepest = uphill | (self.pairs == 0)  # descend along the gradient itself
        factor = torch.minimum(self.first_factor, 1 / norm.clamp(min=torch.finfo(g.dtype).tiny))
        step = torch.where(steepest[:, None], -factor[:, None] * projected, step)
        self.pairs = torch.where(rows & steepest, 0, self.pairs)
        self.step = torch.where(rows[:, None], step, self.step)
        return rows & ((largest_move <= ZERO_GRADIENT) | ~torch.isfinite(norm))

    def _two_loops(self, gradient: Tensor, free: Tensor) -> Tensor:
        """(n, D) minus the estimated inverse Hessian times `gradient`, on the free variables (Nocedal and Wright 2006, 7.4)."""
        history, rows = self.s.shape[1], torch.arange(len(gradient), device=gradient.device)
        q = -gradient
        used = []
        scale = torch.ones_like(self.value)  # s.y / y.y of the newest usable pair
        for age in range(int(self.pairs.max()) if len(self.pairs) else 0):
            slot = (self.oldest - 1 - age) % history
            s, y = self.s[rows, slot] * free, self.y[rows, slot] * free
            sy, yy = (s * y).sum(1), (y * y).sum(1)
            usable = (age < self.pairs) & (sy > self.least_curvature * yy)
            rho = torch.where(usable, 1 / sy, 0.0)
            alpha = rho * (s * q).sum(1)
            q = torch.addcmul(q, y, -alpha[:, None])
            scale = torch.where(usable & (scale == 1), sy / yy, scale)
            used.append((s, y, rho, alpha))
        q = q * scale[:, None]
        for s, y, rho, alpha in reversed(used):
            beta = rho * (y * q).sum(1)
            q = torch.addcmul(q, s, (alpha - beta)[:, None])
        return q


def compact(owner: Any, gone: Tensor) -> None:
    """Take the rows `gone` (k,) out of every tensor among the attributes of `owner`; the last rows move into the holes.

    The order of rows does not matter, and moving few rows copies less than selecting all that stay.
    """
    tensors = {name: value for name, value in vars(owner).items() if isinstance(value, Tensor)}
    n = len(next(iter(tensors.values())))
    stays = torch.ones(n, dtype=torch.bool, device=gone.device)
    stays[gone] = False
    kept = n - len(gone)
    holes, movers = (~stays[:kept]).nonzero()[:, 0], stays[kept:].nonzero()[:, 0] + kept
    for name, value in tensors.items():
        value[holes] = value[movers]
        setattr(owner, name, value[:kept])
