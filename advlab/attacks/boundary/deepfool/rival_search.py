"""The three ways in which DeepFool finds the nearest boundary of a step, behind one interface, and the choice among them."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from advlab.attacks.boundary.deepfool.params import DeepFool
from advlab.attacks.boundary.nearest_boundary import (
    NearestBoundary,
    Projection,
    RivalGradients,
    nearest_boundary,
    nearest_boundary_in_one_batch,
)
from advlab.attacks.network import Linearisation
from advlab.attacks.problem import Problem

DUAL_NORM = {"l2": "l2", "linf": "l1"}


class RivalSearch(Protocol):
    """Finds the nearest linearised boundary of each image in a batch.

    Attributes:
        batch_size: images a batch, at most.
        uses_linearisation: whether it begins with a linearisation at the points themselves, so that it can share the
            forward that classifies them.
    """

    batch_size: int
    uses_linearisation: bool

    def nearest(
        self, images: Tensor, x: Tensor, reference: Tensor, allowed: Tensor, linearisation: Linearisation | None
    ) -> NearestBoundary:
        """The nearest boundaries at the points `x`.

        Args:
            images: (n,) which images of the problem they belong to.
            x: (n, C, H, W) points.
            reference: (n,) class whose boundary is sought.
            allowed: (n, K) bool: rivals of each image.
            linearisation: of the network at `x`, if there is one already.
        """

    def facts(self) -> dict[str, Any] | None:
        """Numbers about the whole run (`AlgorithmResult.facts`), or None."""


class AllRivalsInOneBatch:
    """The gradients of all rivals by one forward and one backward of a row for each image and rival."""

    uses_linearisation = False

    def __init__(self, problem: Problem, project: Projection, dual_norm: str, rivals: int) -> None:
        self._problem, self._project, self._dual_norm = problem, project, dual_norm
        self.batch_size = max(1, problem.batch_size // rivals)

    def nearest(
        self, images: Tensor, x: Tensor, reference: Tensor, allowed: Tensor, linearisation: Linearisation | None
    ) -> NearestBoundary:
        """See `RivalSearch.nearest`."""
        return nearest_boundary_in_one_batch(
            self._problem, x, reference, allowed, images=images, project=self._project, dual_norm=self._dual_norm
        )

    def facts(self) -> dict[str, Any] | None:
        """None: all rivals are looked at, so that no other search could choose differently."""
        return None


class MostPromisingRivals:
    """The gradients of only those rivals that can be the nearest, judging by the norms at the image's step before.

    Its memory is `_norms` (N, K), the norms of each image's gradients by rival as they were last seen, 0 where they never
    were.
    """

    uses_linearisation = True

    def __init__(self, problem: Problem, project: Projection, dual_norm: str) -> None:
        self._problem, self._project, self._dual_norm = problem, project, dual_norm
        self._norms = torch.zeros_like(problem.logits)
        self.batch_size = problem.batch_size

    def nearest(
        self, images: Tensor, x: Tensor, reference: Tensor, allowed: Tensor, linearisation: Linearisation | None
    ) -> NearestBoundary:
        """See `RivalSearch.nearest`."""
        gaps, gradients = self._gaps_and_gradients(images, x, reference, linearisation)
        norms = self._norms[images]
        nearest = nearest_boundary(gaps, allowed, norms, gradients, exact=False, like=x)
        self._norms[images] = norms
        return nearest

    def _gaps_and_gradients(
        self, images: Tensor, x: Tensor, reference: Tensor, linearisation: Linearisation | None
    ) -> tuple[Tensor, RivalGradients]:
        """(n, K) |z_k - z_reference| at `x`, and what gives the gradients there."""
        linearisation = linearisation or self._problem.linearise(x, images)
        gaps = (linearisation.logits - linearisation.logits.gather(1, reference[:, None])).abs()
        gradients = RivalGradients(
            self._problem, linearisation, x, reference, images=images, project=self._project, dual_norm=self._dual_norm
        )
        return gaps, gradients

    def facts(self) -> dict[str, Any] | None:
        """None."""
        return None


class AllRivalsInTurn(MostPromisingRivals):
    """The gradients of all rivals one after the other; counts the steps at which `MostPromisingRivals` would have erred.

    For that it repeats the economical search on the norms that it has just seen, with a memory (`_norms`) that holds only
    what the economical search would have looked at.
    """

    def __init__(self, problem: Problem, project: Projection, dual_norm: str) -> None:
        super().__init__(problem, project, dual_norm)
        self._searches = self._errors = problem.x.new_zeros((), dtype=torch.int64)

    def nearest(
        self, images: Tensor, x: Tensor, reference: Tensor, allowed: Tensor, linearisation: Linearisation | None
    ) -> NearestBoundary:
        """See `RivalSearch.nearest`."""
        gaps, gradients = self._gaps_and_gradients(images, x, reference, linearisation)
        seen = torch.zeros_like(gaps)
        nearest = nearest_boundary(gaps, allowed, seen, gradients, exact=True, like=x)
        norms = self._norms[images]
        economical = nearest_boundary(gaps, allowed, norms, lambda rows, rival: (seen[rows, rival], None), exact=False)
        self._norms[images] = norms
        self._errors = self._errors + (economical.rival != nearest.rival).sum()
        self._searches = self._searches + allowed.any(1).sum()
        return nearest

    def facts(self) -> dict[str, Any] | None:
        """`rival_differs`: the share of steps at which the economical search would have chosen another rival."""
        searches = int(self._searches)
        return {"rival_differs": int(self._errors) / searches} if searches else None


def fit_one_batch(problem: Problem, rivals: int) -> bool:
    """Whether all rivals of all images are looked at in one batch: on an accelerator, where they do not fill one.

    A run's batch is one that fills the device (`advlab.models.fastest_batch`): what does not fill it is done in the time of a few
    rows, and one forward with one backward takes fewer launches than a search. Where they fill it, as on a CPU always, a row
    costs the same now or later, so that looking at fewer rivals wins.
    """
    return problem.x.device.type != "cpu" and len(problem) * rivals <= problem.batch_size


def choose_search(problem: Problem, params: DeepFool, project: Projection, rivals: int) -> RivalSearch:
    """The way of searching that `params.exact` and the device ask for; `rivals`: of an image, at most."""
    dual_norm = DUAL_NORM[params.norm]
    if fit_one_batch(problem, rivals):
        return AllRivalsInOneBatch(problem, project, dual_norm, rivals)
    return (AllRivalsInTurn if params.exact else MostPromisingRivals)(problem, project, dual_norm)
