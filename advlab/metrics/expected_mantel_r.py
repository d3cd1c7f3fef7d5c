"""Mantel's r that a random linear map has by its dimensions alone; without torch, for what summarises a table."""

from __future__ import annotations

import math


def expected_r(inputs: int, outputs: int) -> float:
    """Mantel's r expected for random directions of one length under a random Gaussian linear map: sqrt(R / (R + 2 D)).

    On a sphere of radius r, d_in^2 = 2 r^2 - 2 v_i . v_j has the relative variance 1 / D. Given d_in, d_out^2 / d_in^2 is
    distributed as chi^2_R / R, of variance 2 / R. So the share (1 / D) / (1 / D + 2 / R) of the variance of d_out comes from
    d_in, and r is its square root, to first order in 1 / D and 1 / R; the same holds for distances and their squares.

    Args:
        inputs: D, dimension of the points.
        outputs: R, dimension of their images.

    Examples:
        >>> expected_r(inputs=100, outputs=200) == math.sqrt(1 / 2)
        True
    """
    return math.sqrt(outputs / (outputs + 2 * inputs))
