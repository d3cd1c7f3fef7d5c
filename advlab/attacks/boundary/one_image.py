"""DeepFool on one image after the other, lean because nothing is batched: for algorithms that are sequential by nature."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from advlab.attacks.boundary.deepfool.algorithm import NUDGE
from advlab.attacks.boundary.nearest_boundary import FIRST_RESERVE, RESERVE
from advlab.attacks.logits import ROUNDING
from advlab.attacks.network import Linearisation
from advlab.attacks.problem import Problem

Numbers = NDArray[np.float64]


class OneImageDeepFool:
    """The L2 DeepFool of the Python flavour without clipping, for images that are met again and again.

    The norms of an image's gradients are kept for its next turn, so that it begins with the rivals that can be the
    nearest (see `rivals.nearest`). Numbers by class are numpy's: for so few of them torch takes longer.

    Args:
        problem: gives the labels, and counts.
        max_iter: steps.
        overshoot: of the perturbation.
        candidates: rivals, by logit where an image starts; 0: all classes.
    """

    def __init__(self, problem: Problem, *, max_iter: int, overshoot: float, candidates: int) -> None:
        self._problem, self._max_iter, self._candidates = problem, max_iter, candidates or problem.classes
        self._factor, self._nudge = 1 + overshoot, NUDGE * problem.extent
        self._labels = problem.labels.tolist()
        self._known = np.zeros((len(problem), problem.classes))

    def __call__(self, i: int, x: Tensor, at: Linearisation | None = None) -> tuple[Tensor, int]:
        """What takes image i from the point x (1, C, H, W) to another class, and in how many steps.

        The number is -1 where `max_iter` steps do not, no boundary is in sight, or something is not finite. `at` is the
        linearisation at x if there is one.
        """
        label, r, point = self._labels[i], torch.zeros_like(x), x
        rivals = np.zeros(0, dtype=np.int64)
        for count in range(self._max_iter + 1):
            at = at or self._problem.linearise(point)
            logits = at.logits[0].double().cpu().numpy()
            if not np.isfinite(logits).all():
                break
            if not count:
                order = np.argsort(-logits, kind="stable")
                rivals = order[order != label][: self._candidates]
            leads = logits - logits[label]
            if leads.max() > ROUNDING * torch.finfo(x.dtype).eps * np.abs(logits).max():  # as `Problem.flipped`
                return point - x, count
            if count == self._max_iter:
                break
            distance, norm, w = nearest(at, np.abs(leads), label, rivals, self._known[i])
            if not np.isfinite(distance):
                break
            r = torch.add(r, w, alpha=(distance + self._nudge) / norm)
            point, at = torch.add(x, r, alpha=self._factor), None
        return point - x, -1


def nearest(
    at: Linearisation, gaps: Numbers, label: int, rivals: NDArray[np.int64], known: Numbers
) -> tuple[float, float, Tensor]:
    """`rivals.nearest` for one image: the distance, and the norm and the gradient (1, C, H, W) of z_k - z_label.

    Args:
        at: of the one image.
        gaps: (K,) |z_k - z_label|.
        label: the class whose boundary is sought.
        rivals: (m,) classes k.
        known: (K,) norms by rival from the step before, 0 where there is none; updated in place.
    """
    distance, length, direction = np.inf, 1.0, at.logits
    gaps, waiting = gaps[rivals], np.ones(len(rivals), dtype=bool)
    cotangent = np.zeros((1, len(known)))
    while True:
        norms = known[rivals]
        largest = known.max() or 1e30  # before anything is known, the smallest gap is the most promising
        least = np.where(waiting, gaps / np.where(norms > 0, RESERVE * norms, FIRST_RESERVE * largest), np.inf)
        place = int(least.argmin())
        if not least[place] < distance:
            return distance, length, direction
        k = int(rivals[place])
        cotangent[:] = 0
        cotangent[0, k], cotangent[0, label] = 1, -1
        w = at.vjp(torch.from_numpy(cotangent).to(at.logits))
        norm = float(torch.linalg.vector_norm(w))
        waiting[place], known[k] = False, norm
        if not np.isfinite(norm):
            return np.nan, norm, w
        if norm > 0 and gaps[place] / norm < distance:
            distance, length, direction = gaps[place] / norm, norm, w
