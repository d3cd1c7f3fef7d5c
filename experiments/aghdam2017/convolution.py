"""Circular convolution, max-pooling and radial basis functions of two inputs: the numbers of `frequency`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from advlab.errors import ArgumentError


def permute(x: Any, share: float, rng: np.random.Generator) -> Any:
    """(L, H, W) images with a share of their elements permuted among themselves, all L alike."""
    flat = x.reshape(len(x), -1).copy()
    chosen = rng.permutation(flat.shape[1])[: round(share * flat.shape[1])]
    flat[:, chosen] = flat[:, rng.permutation(chosen)]
    return flat.reshape(x.shape)


def convolve(kernel: Any, x: Any) -> Any:
    """Circular convolution of (L, H, W) images in space: sum over (i, j) of kernel[i, j] x[. - i, . - j].

    Args:
        kernel: (Q, P), at most as large as an image.
        x: (L, H, W).
    """
    around = np.pad(x, ((0, 0), (0, 0), (kernel.shape[1] - 1, 0)), mode="wrap")
    windows = np.lib.stride_tricks.sliding_window_view(around, kernel.shape[1], axis=2)
    # a row of the kernel at a time: memory stays linear in its width when it is as large as the image
    return sum(np.roll(windows @ row[::-1], i, 1) for i, row in enumerate(kernel))


def max_pool(x: Any, window: int) -> Any:
    """(L, H, W) -> (L, H / window, W / window) maxima of windows that do not overlap."""
    count, height, width = x.shape
    return x.reshape(count, height // window, window, width // window, window).max((2, 4))


def radial(x: Any, centres: Any, weights: Any, width: float) -> Any:
    """(T,) outputs sum_j w_j exp(-||x - c_j||^2 / (2 width^2)) of (T, D) inputs and (M, D) centres."""
    squares = np.stack([((x - c) ** 2).sum(1) for c in centres], 1)
    return np.exp(-squares / (2 * width**2)) @ weights


def dissimilarity(a: Any, b: Any) -> tuple[float, float, float]:
    """Root mean square difference, relative distance and 1 - correlation; nan where the outputs are zero or constant."""
    difference, lengths = norm(a - b), norm(a) + norm(b)
    centred, other = a - a.mean(), b - b.mean()
    spread = math.sqrt(float((centred**2).sum()) * float((other**2).sum()))
    varies = spread > 1e-18 * lengths**2
    return (
        difference / math.sqrt(a.size),
        difference / lengths if lengths else math.nan,
        1 - float((centred * other).sum()) / spread if varies else math.nan,
    )


def compare(kernel: Any, x1: Any, x2: Any, window: int) -> list[dict[str, float]]:
    """The measured columns for each of (L, H, W) pairs: in space what can be, else in the frequency domain."""
    a, b = convolve(kernel, x1), convolve(kernel, x2)
    pooled_a, pooled_b = max_pool(a, window), max_pool(b, window)
    k, f1, f2 = np.fft.fft2(kernel, x1.shape[1:]), np.fft.fft2(x1), np.fft.fft2(x2)
    root = math.sqrt(k.size)
    measured = []
    for i in range(len(x1)):
        distance = norm(a[i] - b[i])
        largest = float(np.abs(k).max()) * norm(x1[i] - x2[i])  # operator norm times the distance of the inputs
        spectra = norm(f1[i]) + norm(f2[i])
        rms, relative, decorrelation = dissimilarity(a[i], b[i])
        pooled_rms, pooled_relative, pooled_decorrelation = dissimilarity(pooled_a[i], pooled_b[i])
        measured.append(
            {
                "distance": distance, "predicted": norm(k * (f1[i] - f2[i])) / root, "gain": distance / largest,
                "sorted_gain": norm(np.sort(a[i], axis=None) - np.sort(b[i], axis=None)) / largest,
                "spectrum": norm(f1[i] - f2[i]) / spectra,
                "amplitudes": norm(np.abs(f1[i]) - np.abs(f2[i])) / spectra,
                "dc": float(abs(f1[i, 0, 0] - f2[i, 0, 0])) / (root * norm(x1[i])),
                "energy": abs(norm(f1[i]) ** 2 - norm(f2[i]) ** 2) / norm(f1[i]) ** 2,
                "rms": rms, "relative": relative, "decorrelation": decorrelation, "pooled_rms": pooled_rms,
                "pooled_relative": pooled_relative, "pooled_decorrelation": pooled_decorrelation,
            }
        )  # fmt: skip
    return measured


def norm(x: Any) -> float:
    """Euclidean norm of an array's elements."""
    return float(np.linalg.norm(x))


def check_lengths(lengths: Sequence[float]) -> None:
    """Refuse lengths of perturbations over which no difference can be seen to grow.

    Raises:
        ArgumentError: there are fewer than two, or they do not rise.
    """
    if len(lengths) < 2 or list(lengths) != sorted(set(lengths)):
        raise ArgumentError(f"lengths must be two or more, ascending and different, got {lengths}")
