"""How the movement of features depends on the length of a perturbation: normalised points and their least-squares fits."""

from __future__ import annotations

from typing import Any

import numpy as np

from advlab.lab import Frame


def fits(rows: Frame) -> tuple[Any, Any]:
    """Least-squares line and parabola of normalised ||dPhi|| on normalised ||v||, highest power first.

    Through the means over T: the same coefficients as through all points where ||v|| is one value a radius (L2), since
    every mean stands for as many points.

    Args:
        rows: of one run, layer and reading.
    """
    drawn = rows.dropna(subset=["moved"])
    x, y = normalised_lengths(drawn)
    degrees = drawn["radius"].nunique() - 1  # fewer radii than coefficients determine no curve
    first, second = (np.polyfit(x, y, n) if degrees >= n else np.full(n + 1, np.nan) for n in (1, 2))
    return first, second


def normalised_lengths(rows: Frame) -> tuple[Any, Any]:
    """Lengths of image and features as eq 9 compares them, in shares of the range of pixels and of features: y = x is L = 1."""
    inverse = 1 / rows["pixel_range"]
    return (rows["length"] * inverse).to_numpy(), (rows["moved"] * rows["normaliser"] * inverse).to_numpy()
