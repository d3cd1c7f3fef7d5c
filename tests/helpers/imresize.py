"""MATLAB's imresize by hand, weight by weight, as an oracle for resampling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


def imresize(signal: Floats, length: int) -> Floats:
    """MATLAB's imresize of (m, n) along its first axis to `length` rows, one weight after the other ("bicubic", antialiased)."""
    m = len(signal)
    scale = length / m
    kernel_width = 4.0 if scale >= 1 else 4.0 / scale
    result = np.zeros((length, *signal.shape[1:]))
    for row in range(1, length + 1):  # MATLAB counts from 1
        u = row / scale + 0.5 * (1 - 1 / scale)
        left = math.floor(u - kernel_width / 2)
        taps = range(left, left + math.ceil(kernel_width) + 2)
        weights = [keys(min(scale, 1.0) * (u - tap)) for tap in taps]
        mirror = [*range(m), *reversed(range(m))]
        for tap, weight in zip(taps, weights, strict=True):
            result[row - 1] += weight / sum(weights) * signal[mirror[(tap - 1) % (2 * m)]]
    return result


def keys(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0


def down_and_up(images: Floats, size: int) -> Floats:
    """(..., H, H) images resampled to `size` pixels a side and back."""
    for axis in (-2, -1):
        turned = np.moveaxis(images, axis, 0)
        images = np.moveaxis(imresize(imresize(turned, size), len(turned)), 0, axis)
    return images
