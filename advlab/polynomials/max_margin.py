"""The linear classifier of largest margin through the origin, solved exactly: hard margin, no bias."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from advlab.errors import MeasurementError
from advlab.polynomials.bases import Values

TOLERANCE = 1e-7  # relative, of the constraints and of the duality gap; solutions reach 1e-9 and better
SMALLEST_MARGIN = 1e-7  # relative to the longest feature vector; with a smaller one, points count as not separable


@dataclass(frozen=True)
class MaxMargin:
    """The solution of: least ||w|| with y_i <w, phi_i> >= 1 for all i.

    Attributes:
        weights: (D,) w.
        dual: (N,) multipliers, at least 0; w = sum of dual_i y_i phi_i, and ||w||^2 = sum of dual_i.
    """

    weights: Values
    dual: Values

    @property
    def margin(self) -> float:
        """Distance in feature space from the boundary to the nearest point, 1 / ||w||."""
        return 1 / float(np.linalg.norm(self.weights))

    @property
    def support(self) -> int:
        """The number of support vectors: points whose multiplier is above 0."""
        return int((self.dual > 0).sum())


def max_margin(features: ArrayLike, labels: ArrayLike) -> MaxMargin:
    """Solve the hard-margin problem as one of least distance (Lawson and Hanson 1974, chapter 23).

    An active-set method: finite, and exact up to rounding, where solvers of a soft margin need a large penalty and a
    small tolerance. The result is checked against the optimality conditions before it is returned. A bias is a feature
    that is constant, and is then part of the norm.

    Args:
        features: (N, D).
        labels: (N,) of -1 and 1.

    Raises:
        ValueError: shapes or labels are wrong, or no hyperplane through the origin separates the points.
        MeasurementError: rounding errors are too large for the solution to be trusted.
    """
    phi, y = np.asarray(features, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if phi.ndim != 2 or y.shape != phi.shape[:1] or not y.size or not phi.shape[1]:
        raise ValueError(f"features must be (N, D) and labels (N,), got {phi.shape} and {y.shape}")
    if not np.isfinite(phi).all() or not (np.abs(y) == 1).all():
        raise ValueError("features must be finite, and labels -1 or 1")
    scale = float(np.linalg.norm(phi, axis=1).max()) or 1.0
    signed = phi * y[:, None] / scale
    # least distance of (0, 1) from the cone of the vectors (y_i phi_i, 1): the residual points along (-w, 1)
    system = np.vstack([signed.T, np.ones(len(y))])
    target = np.zeros(len(system))
    target[-1] = 1
    multipliers = nonnegative_least_squares(system, target)
    residual = target - system @ multipliers
    if not residual[-1] > SMALLEST_MARGIN**2:  # it is 1 / (1 + ||w||^2)
        raise ValueError("no hyperplane through the origin separates the points of the two labels")
    weights, dual = signed.T @ multipliers / residual[-1], multipliers / residual[-1]
    squared = float(weights @ weights)
    if (signed @ weights).min() < 1 - TOLERANCE or abs(squared - dual.sum()) > TOLERANCE * squared:
        raise MeasurementError(
            "the maximum-margin problem is too ill-conditioned for float64: take a lower degree or fewer points"
        )
    return MaxMargin(weights / scale, dual / scale**2)


def nonnegative_least_squares(system: Values, target: Values) -> Values:
    """The u >= 0 that minimises ||system u - target||, by active sets (Lawson and Hanson 1974, algorithm 23.10).

    scipy has it as nnls, but versions 1.12 to 1.15 fail on grids of barati2021's figure 2.

    Args:
        system: (M, N).
        target: (M,).
    """
    u, free = np.zeros(system.shape[1]), np.zeros(system.shape[1], dtype=bool)  # free: not held at 0
    residual, distance = target, np.inf
    while residual @ residual < distance:  # it falls in every step, until rounding errors say otherwise
        distance = float(residual @ residual)
        descent = np.where(free, -np.inf, system.T @ residual)  # how fast the distance falls with each variable at 0
        if descent.max() <= 1e-9 * distance:
            break
        free[descent.argmax()] = True
        while True:
            solution = np.zeros_like(u)  # without the sign constraint on the free variables
            solution[free] = np.linalg.lstsq(system[:, free], target, rcond=None)[0]
            violated = free & (solution <= 0)
            if not violated.any():
                break
            # go from u towards the solution until the first variable reaches 0, and fix it there
            shares = np.where(violated, u / np.maximum(u - solution, 1e-300), np.inf)
            u = u + shares.min() * (solution - u)
            free &= shares > shares.min()
            u[~free] = 0
        u = solution
        residual = target - system @ u
    return u
