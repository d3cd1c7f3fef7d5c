"""Distances after a random linear map: the control of figure 4 of aghdam2017 that knows no network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.metrics.distances import square


def expected_r(inputs: int, outputs: int) -> float:
    """Mantel's r to expect of a random Gaussian linear map of random directions of one length: sqrt(R / (R + 2 D)).

    On a sphere of radius r, d_in^2 = 2 r^2 - 2 v_i . v_j has the relative variance 1 / D. Given d_in, d_out^2 / d_in^2 is
    chi^2_R / R, of variance 2 / R: the share (1 / D) / (1 / D + 2 / R) of d_out's variance comes from d_in, and r is its
    root, to first order in 1 / D and 1 / R and alike for d and d^2.

    Args:
        inputs: D, dimension of the points.
        outputs: R, dimension of their images.
    """
    return math.sqrt(outputs / (outputs + 2 * inputs))


def mapped_points(inner: Tensor, lengths: Tensor, outputs: int, seeds: list[int]) -> Tensor:
    """Points whose distances are those of v W, with W (D, R) of independent N(0, 1) entries, drawn anew for each set.

    W need not be made: the distances depend on v only through the Gram matrix G = v v', and v W W' v' is Wishart(R, G).
    With G = L L' it is (L A)(L A)' where A is Bartlett's (1933) lower triangle, or R columns of N(0, 1) when R < T.

    Args:
        inner: (B, T (T - 1) / 2) Euclidean distances of the points v of each set.
        lengths: (B, T) their norms.
        outputs: R.
        seeds: (B,) one for each set.

    Returns:
        (B, T, min(R, T)) float64.
    """
    trials = lengths.shape[-1]
    squares = lengths.double() ** 2
    gram = square(inner.double() ** 2).neg_().add_(squares[:, None]).add_(squares[:, :, None]).div_(2)
    root = _square_root(gram)
    return root @ torch.from_numpy(np.stack([_factor(trials, outputs, seed) for seed in seeds])).to(root)


def _square_root(gram: Tensor) -> Tensor:
    """(B, T, T) L with L L' = gram; negative eigenvalues, which rounding brings where T > D, count as zero."""
    finite = torch.isfinite(gram).all(-1).all(-1)[:, None, None]
    gram = torch.where(finite, gram, torch.eye(gram.shape[-1]).to(gram))
    root, failed = torch.linalg.cholesky_ex(gram)
    bad = failed > 0
    if bool(bad.any()):
        values, vectors = torch.linalg.eigh(gram[bad])
        root[bad] = vectors * values.clamp_min(0).sqrt()[:, None]
    return torch.where(finite, root, torch.nan)


def _factor(trials: int, outputs: int, seed: int) -> Any:
    """(T, min(R, T)): R columns of N(0, 1), or their Bartlett factor, which has the same Gram matrix in distribution."""
    generator = np.random.Generator(np.random.PCG64(seed))
    if outputs <= trials:
        return generator.standard_normal((trials, outputs))
    lower = np.zeros((trials, trials))
    lower[np.tri(trials, k=-1, dtype=bool)] = generator.standard_normal(trials * (trials - 1) // 2)
    np.fill_diagonal(lower, np.sqrt(generator.chisquare(np.arange(outputs, outputs - trials, -1))))
    return lower
