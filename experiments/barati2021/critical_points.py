"""Where g_n - f_n is critical, and how far from that Chebyshev grids lie (barati2021, section III.B)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from advlab.polynomials.bases import Values
from advlab.polynomials.grids import NODES
from advlab.polynomials.polynomial import chebyshev_coefficients, inner_extrema
from advlab.polynomials.two_points import bernstein_classifier, chebyshev_classifier
from advlab.statistics import Claim, exact, judge


def critical_points_of_error(n: int) -> tuple[Values, Values]:
    """(K,) points of (0, 1) where g_n - f_n has its local maxima and minima, and (K,) its values there; n above 2.

    At 0 and 1 both classifiers are the same, -1 and 1.
    """

    def error(x: Values) -> Values:
        return chebyshev_classifier(x, n) - bernstein_classifier(x, n)

    points = inner_extrema(chebyshev_coefficients(error, n))
    return points, error(points)


def largest_distance(points: Values, grid: Values) -> float:
    """The largest distance from a point to the nearest of a grid."""
    return float(np.abs(points[:, None] - grid).min(axis=1).max())


def critical_point_numbers(n: int) -> list[tuple[str, float, float]]:
    """(quantity, x, value) of the rows of `bernstein_chebyshev` about g_n - f_n; none up to n = 2, where f_n and g_n are one."""
    if n <= 2:
        return []
    points, values = critical_points_of_error(n)
    numbers = [("critical", float(x), float(value)) for x, value in zip(points, values, strict=True)]
    return numbers + [
        (f"from_{name}", math.nan, largest_distance(points, nodes.points(n))) for name, nodes in NODES.items()
    ]


def critical_point_claims(numbers: Mapping[tuple[str, int, str], float], n: int, reflect: float) -> list[Claim]:
    """Whether critical points are where the grids are, in units of half the largest gap of each grid.

    No point inside the grid is more than 1 of these units away from it, and a uniformly drawn one 1/2 in the mean if the gaps
    are equal: a grid with many points must not win by being dense.

    Args:
        numbers: (basis, degree, quantity) -> value, of the rows.
        n: the degree.
        reflect: "these points seem to be reflecting the position": the distance below.
    """
    claims = []
    for name, nodes in NODES.items():
        if ("difference", n, f"from_{name}") not in numbers:
            continue
        is_control = name == "equispaced"
        distance = numbers["difference", n, f"from_{name}"] / (np.diff(nodes.points(n)).max() / 2)
        claims.append(
            judge(
                "control-not-critical-points" if is_control else "critical-points",
                exact(float(distance)), ">" if is_control else "<", reflect, subset=name,
                quantity=f"largest distance from a critical point of g_{n} - f_{n} to {nodes.words}, in half largest gaps",
                statement="control: equispaced points do not reflect the critical points" if is_control else
                "section III.B: the points of a Chebyshev grid "
                '"seem to be reflecting the position of the critical points of the estimation error g_n(x) - f_n(x)"',
            )
        )  # fmt: skip
    return claims
