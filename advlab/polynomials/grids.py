"""Training points on [0, 1], equispaced or of Chebyshev's kinds, labelled by the nearest of the points 0 and 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from advlab.polynomials.bases import Values, points_in_unit_interval


def equispaced(m: int) -> Values:
    """m points at equal distances, both ends among them.

    Raises:
        ValueError: m is below 2.
    """
    return np.arange(checked_size(m, 2)) / (m - 1)


def roots(m: int) -> Values:
    """The m roots of T*_m, (1 - cos((2j + 1) pi / 2m)) / 2 for j = 0..m - 1; the ends are not among them.

    Raises:
        ValueError: m is below 1.
    """
    return (1 - np.cos((2 * np.arange(checked_size(m, 1)) + 1) * np.pi / (2 * m))) / 2


def roots_and_boundary(m: int) -> Values:
    """The m roots of T*_m and both ends: m + 2 points.

    Raises:
        ValueError: m is below 1.
    """
    return np.concatenate([[0.0], roots(m), [1.0]])


def lobatto(m: int) -> Values:
    """The m points where T*_{m-1} is 1 or -1, (1 - cos(j pi / (m - 1))) / 2 for j = 0..m - 1, both ends among them.

    Raises:
        ValueError: m is below 2.
    """
    return (1 - np.cos(np.arange(checked_size(m, 2)) * np.pi / (m - 1))) / 2


def lobatto_interior(m: int) -> Values:
    """The m - 2 points of `lobatto` without the ends.

    Raises:
        ValueError: m is below 3.
    """
    return lobatto(checked_size(m, 3))[1:-1]


def checked_size(m: int, smallest: int) -> int:
    """m, if the grid exists.

    Raises:
        ValueError: it is below `smallest`.
    """
    if m < smallest:
        raise ValueError(f"this grid needs m of at least {smallest}, got {m}")
    return m


GRIDS: dict[str, Callable[[int], Values]] = {
    "equispaced": equispaced,
    "roots": roots,
    "roots+boundary": roots_and_boundary,
    "lobatto": lobatto,
    "lobatto_interior": lobatto_interior,
}


def nearest_label(x: ArrayLike) -> Values:
    """Labels of the nearest-neighbour classifier of S = {(0, -), (1, +)}: the sign of x - 1/2.

    Args:
        x: points in [0, 1].

    Raises:
        ValueError: a point lies outside [0, 1], or at 1/2, as near to 0 as to 1 (grids of odd m have one there).
    """
    points = points_in_unit_interval(x)
    if (np.abs(points - 0.5) < 1e-12).any():
        raise ValueError("a point at 1/2 has no label, it is as near to 0 as to 1: take an even number of points")
    return np.sign(points - 0.5)


class Nodes(NamedTuple):
    """A grid that belongs to a degree: its name in words, and its points for a degree n."""

    words: str
    points: Callable[[int], Values]


#: grids beside the critical points of a polynomial of degree n
NODES = {
    "roots": Nodes("the n roots of T*_n", roots),
    "next_roots": Nodes("the n + 1 roots of T*_(n+1)", lambda n: roots(n + 1)),
    "lobatto": Nodes("the n - 1 inner Lobatto points, where T*_n is 1 or -1", lambda n: lobatto(n + 1)[1:-1]),
    "equispaced": Nodes("n equispaced points", equispaced),  # the control
}
