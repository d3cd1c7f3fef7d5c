"""The nearest linearised class boundary, with gradients of only those rivals that can be the nearest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from advlab.attacks.network import Linearisation
from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem

RESERVE = 1.5  # by how much the norm of a rival's gradient may exceed its own at the step before,
FIRST_RESERVE = 3.0  # and before there is one, the largest norm of the others

#: rows (m,) and their rivals (m,) to the norms (m,) of the gradients and, where wanted, the gradients (m, C, H, W)
Look = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]


@dataclass
class Boundary:
    """The nearest rival of each of n images.

    Attributes:
        distance: (n,) |z_k - z_ref| / ||w||; infinite where no rival has a gradient, NaN where one is not finite.
        norm: (n,) of w, dual to the attack's norm.
        rival: (n,) int64 class k.
        w: (n, C, H, W) gradient of z_k - z_ref.
    """

    distance: Tensor
    norm: Tensor
    rival: Tensor
    w: Tensor


class Gradients:
    """Looks at a rival of each of some images: one vector-Jacobian product.

    Args:
        problem: counts the products.
        at: of the points `x`.
        x: (n, C, H, W).
        reference: (n,) class whose boundary is sought.
        project: gradients into the subspace of a confined attack.
        dual: the norm of gradients.
    """

    def __init__(
        self,
        problem: Problem,
        at: Linearisation,
        x: Tensor,
        reference: Tensor,
        *,
        project: Callable[[Tensor], Tensor],
        dual: str,
    ) -> None:
        self._problem, self._at, self._x, self._reference = problem, at, x, reference
        self._project, self._dual = project, dual
        self._held = torch.arange(len(x), device=x.device)  # rows that `at` holds
        self._place = self._held.clone()  # where

    def __call__(self, rows: Tensor, rival: Tensor) -> tuple[Tensor, Tensor]:
        """Norms (m,) and gradients (m, C, H, W) of z_rival - z_reference at the rows."""
        if 2 * len(rows) <= len(self._held):  # a forward of these alone costs less than a backward of all
            self._at, self._held = self._problem.linearise(self._x[rows]), rows
            self._place[rows] = torch.arange(len(rows), device=rows.device)
        place = self._place[rows]
        cotangent = torch.zeros_like(self._at.logits)
        cotangent[place, rival] = 1.0
        cotangent[place, self._reference[rows]] = -1.0
        w = self._project(self._at.vjp(cotangent)[place])
        return norms_of_each(w, self._dual), w


def nearest(
    gaps: Tensor, allowed: Tensor, known: Tensor, look: Look, *, exact: bool, like: Tensor | None = None
) -> Boundary:
    """Search the rivals of each image, the most promising first.

    A rival is passed over when its boundary would lie behind the nearest one found even if its gradient's norm were
    `RESERVE` times its own at the step before, or else `FIRST_RESERVE` times the largest that this image has shown.

    Args:
        gaps: (n, K) |z_k - z_ref|.
        allowed: (n, K) bool: rivals of each image; none: the image is passed over.
        known: (n, K) norms by rival from the step before, 0 where there is none; updated in place.
        look: at one rival of each of some rows.
        exact: look at all that are allowed.
        like: (n, C, H, W): keep the nearest rival's gradient as well, in this shape.
    """
    n = len(gaps)
    w = gaps[:, :0] if like is None else torch.zeros_like(like)
    found = Boundary(gaps.new_full((n,), torch.inf), gaps.new_ones(n), gaps.new_zeros(n, dtype=torch.int64), w)
    waiting = allowed.clone()
    while True:
        most = torch.where(known > 0, RESERVE * known, FIRST_RESERVE * known.amax(1, keepdim=True))
        # before anything is known, the smallest gap is the most promising
        least = torch.where(most > 0, gaps / most, gaps * torch.finfo(gaps.dtype).tiny)
        least, rival = torch.where(waiting, gaps if exact else least, torch.inf).min(1)
        rows = (least < torch.inf if exact else least < found.distance).nonzero()[:, 0]
        if not len(rows):
            return found
        rival = rival[rows]
        norm, gradient = look(rows, rival)
        waiting[rows, rival] = False
        known[rows, rival] = norm
        distance = torch.where(norm > 0, gaps[rows, rival] / norm, torch.inf)
        found.distance[rows[~torch.isfinite(norm)]] = torch.nan  # nothing is nearer than that, and the search ends
        nearer = distance < found.distance[rows]
        better = rows[nearer]
        found.distance[better], found.norm[better], found.rival[better] = distance[nearer], norm[nearer], rival[nearer]
        if like is not None and gradient is not None:
            found.w[better] = gradient[nearer]


def nearest_at_once(
    problem: Problem,
    x: Tensor,
    reference: Tensor,
    allowed: Tensor,
    *,
    project: Callable[[Tensor], Tensor],
    dual: str,
) -> Boundary:
    """As `nearest` with `exact`, in one forward and one backward of a row for each image and rival: for few of them.

    Args:
        problem: counts them.
        x: (n, C, H, W) points.
        reference: (n,) class whose boundary is sought.
        allowed: (n, K) bool: rivals of each image.
        project: gradients into the subspace of a confined attack.
        dual: the norm of gradients.
    """
    n = len(x)
    rows, rivals = allowed.nonzero(as_tuple=True)
    each, own = torch.arange(len(rows), device=x.device), reference[rows]
    at = problem.linearise(x[rows])
    cotangent = torch.zeros_like(at.logits)
    cotangent[each, rivals], cotangent[each, own] = 1.0, -1.0
    w = project(at.vjp(cotangent, last=True))
    norm, gap = norms_of_each(w, dual), (at.logits[each, rivals] - at.logits[each, own]).abs()
    distances = allowed.new_full(allowed.shape, torch.inf, dtype=x.dtype)
    distances[rows, rivals] = torch.where(norm == 0, torch.inf, gap / norm)
    distance, rival = distances.min(1)  # NaN where there is one
    place = torch.zeros_like(allowed, dtype=torch.int64)
    place[rows, rivals] = each
    chosen = place[torch.arange(n, device=x.device), rival]
    return Boundary(distance, norm[chosen], rival, w[chosen])
