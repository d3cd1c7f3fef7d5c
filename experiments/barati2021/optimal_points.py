"""Equation 8 of barati2021 evaluated for polynomials: at Chebyshev nodes, hard points, equispaced and drawn points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from advlab.polynomials.error_slopes import error_slopes
from advlab.polynomials.expected_loss import Hypotheses, hardest_points
from advlab.polynomials.grids import equispaced, roots
from advlab.statistics import Claim, exact, judge, share_interval

APART = 1e-3  # of two points of a pair


def slope_numbers(n: int, family: Hypotheses, *, sets: int, seed: int) -> list[tuple[str, float]]:
    """(quantity, objective of eq 8) for sets of n points each; drawn sets come one by one. None for n = 1.

    Args:
        n: degree of the polynomials.
        family: of hypotheses.
        sets: how many sets of uniform points are drawn.
        seed: of the draws.
    """
    if n == 1:
        return []
    paired = np.repeat(roots(-(-n // 2)), 2)[:n] + APART / 2 * (-1) ** np.arange(n)
    named = {
        "slope_node": roots(n), "slope_maximum": hardest_points(n), "slope_equispaced": equispaced(n),
        "slope_pairs": np.clip(paired, 0, 1),
    }  # fmt: skip
    numbers = [(quantity, error_slopes(points, family)) for quantity, points in named.items()]
    drawn = np.random.default_rng(seed).random((sets, n))
    return numbers + [("slope_drawn", error_slopes(points, family)) for points in drawn]


def slope_claims(values: Mapping[str, Any], family: str, beaten: float) -> list[Claim]:
    """Whether Chebyshev nodes, and hard points, solve equation 8.

    Args:
        values: quantity -> values of one family of hypotheses.
        family: its name.
        beaten: a solution of (8) is beaten by no set; the share of drawn sets that beat it below.
    """
    if "slope_node" not in values:  # a table of version 1, or n = 1
        return []
    drawn = values.get("slope_drawn", np.array([]))
    words = "share of sets of n uniform points whose objective (8) is below that of the"
    return [
        judge(
            "slopes-nodes", share_interval(drawn < values["slope_node"][0]), "<", beaten, subset=family,
            statement="section III.B: Chebyshev grids reflect critical points of the error; the optimal points minimise (8)",
            quantity=f"{words} Chebyshev nodes",
        ),
        judge(
            "slopes-hard-points", share_interval(drawn < values["slope_maximum"][0]), "<", beaten, subset=family,
            statement='section III.B: points that maximise L(h(x), h(x)) "consequently would minimize" the slopes of (8)',
            quantity=f"{words} local maxima of the expected loss",
        ),
        judge(
            "slopes-equispaced", exact(float(values["slope_node"][0] / values["slope_equispaced"][0])), "<", 1.0, subset=family,
            statement="the same, weakly: the nodes have a smaller objective (8) than equispaced points",
            quantity="objective (8) of the Chebyshev nodes / of as many equispaced points",
        ),
    ]  # fmt: skip
