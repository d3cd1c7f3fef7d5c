"""DeepFool on a single image, without the cost of batching: for algorithms that treat one image after the other."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from advlab.attacks.boundary.deepfool.algorithm import EXTRA_LENGTH
from advlab.attacks.boundary.nearest_boundary import FIRST_RESERVE, RESERVE
from advlab.attacks.logits import ROUNDING
from advlab.attacks.network import Linearisation
from advlab.attacks.problem import Problem

Floats = NDArray[np.float64]
Classes = NDArray[np.int64]


class OneImageDeepFool:
    """The L2 DeepFool of the Python flavour without clipping, for images that are attacked several times (UAP).

    The norms of an image's gradients are kept from one call to the next, so that the next begins with the rivals whose
    boundaries are probably the nearest (see `nearest_boundary.least_distances`). What has one number a class is a numpy
    array: on so few numbers numpy is faster than torch.

    Args:
        problem: gives the labels, and counts forwards and backwards.
        max_iter: steps.
        overshoot: share by which the perturbation is lengthened.
        candidates: rivals, by logit where an image starts; 0: all classes.
    """

    def __init__(self, problem: Problem, *, max_iter: int, overshoot: float, candidates: int) -> None:
        self._problem, self._max_iter, self._candidates = problem, max_iter, candidates or problem.classes
        self._lengthening, self._extra_length = 1 + overshoot, EXTRA_LENGTH * problem.extent
        self._labels = problem.labels.tolist()
        self._norms = np.zeros((len(problem), problem.classes))

    def __call__(self, image: int, x: Tensor, linearisation: Linearisation | None = None) -> tuple[Tensor, int]:
        """The perturbation (1, C, H, W) that takes an image from the point `x` to another class, and its number of steps.

        The number is -1 where `max_iter` steps do not, no boundary is in sight, or something is not finite.

        Args:
            image: its index in the problem.
            x: (1, C, H, W) where it starts; not necessarily the image itself.
            linearisation: of the network at `x`, if there is one already.
        """
        label, perturbation, point = self._labels[image], torch.zeros_like(x), x
        rivals: Classes = np.zeros(0, dtype=np.int64)
        former_logits, extra_length = np.zeros(0), self._extra_length
        for step in range(self._max_iter + 1):
            linearisation = linearisation or self._problem.linearise(point, slice(image, image + 1))
            logits = linearisation.logits[0].double().cpu().numpy()
            if not np.isfinite(logits).all():
                break
            if not step:
                rivals = self._rivals(logits, label)
            gaps = logits - logits[label]
            if gaps.max() > ROUNDING * torch.finfo(x.dtype).eps * np.abs(logits).max():  # as `Problem.flipped`
                return point - x, step
            if step == self._max_iter:
                break
            distance, norm, gradient = nearest_boundary_of_one(
                linearisation, np.abs(gaps), label, rivals, self._norms[image]
            )
            if not np.isfinite(distance):
                break
            # ties of half precision, which a tiny step does not change; as `BatchedDeepFool._extra_length`
            extra_length = 2 * extra_length if np.array_equal(logits, former_logits) else self._extra_length
            former_logits = logits
            perturbation = torch.add(perturbation, gradient, alpha=(distance + extra_length) / norm)
            point, linearisation = torch.add(x, perturbation, alpha=self._lengthening), None
        return point - x, -1

    def _rivals(self, logits: Floats, label: int) -> Classes:
        """(m,) the classes with the largest logits (K,) but the label, the largest first."""
        order = np.argsort(-logits, kind="stable")
        return order[order != label][: self._candidates]


def nearest_boundary_of_one(
    linearisation: Linearisation, gaps: Floats, label: int, rivals: Classes, norms: Floats
) -> tuple[float, float, Tensor]:
    """`nearest_boundary` for one image: its distance, and the norm and the gradient (1, C, H, W) of z_k - z_label.

    Args:
        linearisation: of the network at the one point.
        gaps: (K,) |z_k - z_label|.
        label: the class whose boundary is sought.
        rivals: (m,) classes k.
        norms: (K,) norms of the gradients when they were last seen, by rival, 0 where they never were; updated in place.
    """
    nearest_distance, nearest_norm, nearest_gradient = np.inf, 1.0, linearisation.logits
    gaps, unseen = gaps[rivals], np.ones(len(rivals), dtype=bool)
    cotangent = np.zeros((1, len(norms)))
    while True:
        known = norms[rivals]
        largest = norms.max() or 1e30  # before anything is known, the smallest gap is the most promising
        reserved = np.where(known > 0, RESERVE * known, FIRST_RESERVE * largest)
        possible = np.where(unseen, gaps / reserved, np.inf)
        place = int(possible.argmin())
        if not possible[place] < nearest_distance:
            return nearest_distance, nearest_norm, nearest_gradient
        rival = int(rivals[place])
        cotangent[:] = 0
        cotangent[0, rival], cotangent[0, label] = 1, -1
        gradient = linearisation.vjp(torch.from_numpy(cotangent).to(linearisation.logits))
        norm = float(torch.linalg.vector_norm(gradient))
        unseen[place], norms[rival] = False, norm
        if not np.isfinite(norm):
            return np.nan, norm, gradient
        if norm > 0 and gaps[place] / norm < nearest_distance:
            nearest_distance, nearest_norm, nearest_gradient = gaps[place] / norm, norm, gradient
