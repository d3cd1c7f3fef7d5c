"""Reads the numbers of trained polynomials out of the table of figure 2 of barati2021."""

from __future__ import annotations

import math
from collections.abc import Iterable

from advlab.lab import Frame
from advlab.statistics import Interval, exact


def largest_of(values: Iterable[float]) -> Interval:
    """The largest of exact numbers, as an interval of no width; NaN where there are none."""
    return exact(max(values, default=math.nan))


def numbers_of(table: Frame, quantity: str) -> dict[tuple[str, int], float]:
    """(grid, m) -> value of one quantity."""
    rows = table[table["quantity"] == quantity]
    return dict(zip(zip(rows["grid"], rows["m"], strict=True), rows["value"], strict=True))
