"""The nearest linearised class boundary of each image: its rivals one after the other, or all of them in one batch.

At a point x, the boundary between the class `reference` and a rival k lies, linearised, at the distance |gap| / ||w|| with
gap = z_k - z_reference and w its gradient (Moosavi-Dezfooli et al. 2016, section 3.2); the norm of w is dual to that of the
step. Logits are known for all rivals at once, a gradient costs a backward for each rival: so the search asks for as few
gradients as it can.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from advlab.attacks.network import Linearisation
from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem

RESERVE = 1.5  # largest ratio that is reckoned with between the norm of a rival's gradient now and at the step before
FIRST_RESERVE = 3.0  # the same for a rival without a step before: between its norm and the largest one of the others

Projection = Callable[[Tensor], Tensor]  # of gradients (n, C, H, W) into the subspace in which steps are confined

#: rows (m,) of a batch and one rival of each (m,) to the norms (m,) of their gradients, and these (m, C, H, W) or None
GradientsOfRivals = Callable[[Tensor, Tensor], tuple[Tensor, Tensor | None]]


@dataclass
class NearestBoundary:
    """The nearest linearised boundary of each of n images.

    Attributes:
        distance: (n,) |z_k - z_reference| / ||w||; infinite where no rival has a gradient, NaN where one is not finite.
        gradient_norm: (n,) ||w||, in the norm dual to the step's.
        rival: (n,) int64 class k.
        gradient: (n, C, H, W) w, the gradient of z_k - z_reference.
    """

    distance: Tensor
    gradient_norm: Tensor
    rival: Tensor
    gradient: Tensor


class RivalGradients:
    """Gives gradients of z_rival - z_reference, one vector-Jacobian product for one rival of each of some images.

    Args:
        problem: counts the products.
        linearisation: of the network at `x`.
        x: (n, C, H, W) points.
        reference: (n,) class whose boundary is sought.
        images: (n,) which images of the problem the points belong to.
        project: into the subspace of a confined attack.
        dual_norm: the norm of gradients.
    """

    def __init__(
        self,
        problem: Problem,
        linearisation: Linearisation,
        x: Tensor,
        reference: Tensor,
        *,
        images: Tensor,
        project: Projection,
        dual_norm: str,
    ) -> None:
        self._problem, self._linearisation, self._x, self._reference = problem, linearisation, x, reference
        self._images, self._project, self._dual_norm = images, project, dual_norm
        self._linearised_rows = torch.arange(len(x), device=x.device)
        self._place_of_row = self._linearised_rows.clone()  # where the linearisation holds a row

    def __call__(self, rows: Tensor, rival: Tensor) -> tuple[Tensor, Tensor]:
        """Norms (m,) and gradients (m, C, H, W) of z_rival - z_reference at the rows (m,)."""
        if 2 * len(rows) <= len(self._linearised_rows):  # a forward of these alone costs less than a backward of all
            self._linearisation, self._linearised_rows = (
                self._problem.linearise(self._x[rows], self._images[rows]),
                rows,
            )
            self._place_of_row[rows] = torch.arange(len(rows), device=rows.device)
        place = self._place_of_row[rows]
        cotangent = torch.zeros_like(self._linearisation.logits)
        cotangent[place, rival] = 1.0
        cotangent[place, self._reference[rows]] = -1.0
        gradient = self._project(self._linearisation.vjp(cotangent)[place])
        return norms_of_each(gradient, self._dual_norm), gradient


def nearest_boundary(
    gaps: Tensor,
    allowed: Tensor,
    norms: Tensor,
    gradients_of: GradientsOfRivals,
    *,
    exact: bool,
    like: Tensor | None = None,
) -> NearestBoundary:
    """Search the rivals of each image, the most promising first.

    A rival is passed over when its boundary would lie behind the nearest one so far even if its gradient were as long as
    `largest_norms` reckons with.

    Args:
        gaps: (n, K) |z_k - z_reference|.
        allowed: (n, K) bool: rivals of each image; an image without any is passed over.
        norms: (n, K) norms of the gradients at the step before, by rival, 0 where there is none; updated in place.
        gradients_of: gives the gradients of one rival of each of some rows.
        exact: ask for the gradients of all allowed rivals.
        like: (n, C, H, W): keep the nearest rival's gradient as well, in this shape.
    """
    n = len(gaps)
    gradient = gaps[:, :0] if like is None else torch.zeros_like(like)
    rival = gaps.new_zeros(n, dtype=torch.int64)
    nearest = NearestBoundary(gaps.new_full((n,), torch.inf), gaps.new_ones(n), rival, gradient)
    unseen = allowed.clone()
    while True:
        possible = gaps if exact else least_distances(gaps, norms)
        possible, rival = torch.where(unseen, possible, torch.inf).min(1)
        rows = (possible < torch.inf if exact else possible < nearest.distance).nonzero()[:, 0]
        if not len(rows):
            return nearest
        rival = rival[rows]
        norm, gradients = gradients_of(rows, rival)
        unseen[rows, rival] = False
        norms[rows, rival] = norm
        distance = torch.where(norm > 0, gaps[rows, rival] / norm, torch.inf)
        # by `where` and not by masks, for which the host would wait; below NaN is no distance: the search of that row ends
        best = torch.where(torch.isfinite(norm), nearest.distance[rows], torch.nan)
        nearer = distance < best
        nearest.distance[rows] = torch.where(nearer, distance, best)
        nearest.rival[rows] = torch.where(nearer, rival, nearest.rival[rows])
        nearest.gradient_norm[rows] = torch.where(nearer, norm, nearest.gradient_norm[rows])
        if like is not None and gradients is not None:
            nearest.gradient[rows] = torch.where(nearer[:, None, None, None], gradients, nearest.gradient[rows])


def least_distances(gaps: Tensor, norms: Tensor) -> Tensor:
    """(n, K) the smallest distance that a rival's boundary can have, should no gradient exceed its reserve.

    The reserve is `RESERVE` times the norm of the same rival at the step before, or, for a rival that was not looked at,
    `FIRST_RESERVE` times the largest norm that this image has shown. An image that has shown none gets its gaps, scaled to
    almost nothing: the smallest gap is the most promising then, and no rival is passed over.

    >>> gaps = torch.tensor([[0.0, 1.0, 3.0], [0.0, 2.0, 1.0]])
    >>> norms = torch.tensor([[0.0, 2.0, 0.0], [0.0, 0.0, 0.0]])  # rival 1 of the first image alone is known
    >>> least_distances(gaps, norms)[0]
    tensor([0.0000, 0.3333, 0.5000])
    >>> bool((least_distances(gaps, norms)[1] < 1e-30).all())
    True
    """
    largest = torch.where(norms > 0, RESERVE * norms, FIRST_RESERVE * norms.amax(1, keepdim=True))
    return torch.where(largest > 0, gaps / largest, gaps * torch.finfo(gaps.dtype).tiny)


def nearest_boundary_in_one_batch(
    problem: Problem,
    x: Tensor,
    reference: Tensor,
    allowed: Tensor,
    *,
    images: Tensor,
    project: Projection,
    dual_norm: str,
) -> NearestBoundary:
    """As `nearest_boundary` with `exact`, by one forward and one backward of a row for each image and rival: for few rivals.

    Args:
        problem: counts forwards and backwards.
        x: (n, C, H, W) points.
        reference: (n,) class whose boundary is sought.
        allowed: (n, K) bool: rivals of each image.
        images: (n,) which images of the problem the points belong to.
        project: gradients into the subspace of a confined attack.
        dual_norm: the norm of gradients.
    """
    image, rivals = allowed.nonzero(as_tuple=True)  # of each row of the batch
    row, own = torch.arange(len(image), device=x.device), reference[image]
    linearisation = problem.linearise(x[image], images[image])
    logits = linearisation.logits
    cotangent = torch.zeros_like(logits)
    cotangent[row, rivals], cotangent[row, own] = 1.0, -1.0
    gradients = project(linearisation.vjp(cotangent, last=True))
    norms, gaps = norms_of_each(gradients, dual_norm), (logits[row, rivals] - logits[row, own]).abs()
    distances = allowed.new_full(allowed.shape, torch.inf, dtype=x.dtype)
    distances[image, rivals] = torch.where(norms == 0, torch.inf, gaps / norms)
    distance, rival = distances.min(1)  # NaN where there is one
    row_of_rival = torch.zeros_like(allowed, dtype=torch.int64)
    row_of_rival[image, rivals] = row
    chosen = row_of_rival[torch.arange(len(x), device=x.device), rival]
    return NearestBoundary(distance, norms[chosen], rival, gradients[chosen])
