"""The range of s over which scores are drawn: from where on nothing changes any more."""

from __future__ import annotations

from typing import Any

import numpy as np

DOUBLINGS = 6  # the shortest length that is tried is the longest over 2^6


def range_id(target: int) -> str:
    """The id of the stage that holds the range of s of a class."""
    return f"range-{target}"


def ladder(longest: float) -> np.ndarray[Any, Any]:
    """(7,) lengths, each twice the one before it, up to `longest`.

    >>> ladder(16.0).tolist()
    [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    """
    return longest * 2.0 ** np.arange(-DOUBLINGS, 1)


def saturated_range(lengths: Any, shares: Any, tolerance: float) -> tuple[float, bool]:
    """The first length from which on no share changes any more, and whether there is one before the last.

    A doubling that changes nothing is not enough: along a direction that needs some way to act, all shares are flat at first. So
    the shares are measured up to the longest length, and the range ends where they have come within `tolerance` of what they
    are at every longer one.

    Args:
        lengths: (k,) rising.
        shares: (k, q) shares of samples at each.
        tolerance: largest difference between shares that are the same.

    Examples:
        Flat at first, then a rise, then flat; and one that rises up to the end.

        >>> saturated_range([1, 2, 4, 8], [[0.0], [0.01], [0.97], [0.99]], 0.05)
        (4.0, True)
        >>> saturated_range([1, 2, 4, 8], [[0.0], [0.2], [0.4], [0.8]], 0.05)
        (8.0, False)
    """
    values = np.asarray(shares, dtype=float)
    for k in range(len(values) - 1):
        if (np.ptp(values[k:], axis=0) <= tolerance).all():
            return float(lengths[k]), True
    return float(lengths[-1]), False


def nothing_moves(shares: Any, tolerance: float) -> bool:
    """Whether no direction moves anything at any length: then there is no range in which something happens.

    Args:
        shares: (k, 4 q) of q directions the shares moved into the class at s and at -s, and of the own ones that stay at s and at
            -s; all of the latter are 0 where the class has no images.
        tolerance: largest difference between shares that are the same.

    >>> nothing_moves([[0.0, 0.0, 1.0, 1.0], [0.02, 0.0, 1.0, 0.99]], 0.05), nothing_moves([[0.0, 1.0, 1.0, 1.0]], 0.05)
    (True, False)
    """
    values = np.asarray(shares, dtype=float).reshape(len(shares), -1, 4)
    moved, stayed = values[..., :2], values[..., 2:]
    return bool((moved <= tolerance).all() and ((stayed >= 1 - tolerance).all() or not stayed.any()))
