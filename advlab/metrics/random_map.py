"""Distances after a random linear map: the control for figure 4 of aghdam2017, which involves no network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.metrics.distances import all_finite, squareform


def mapped_points(inner: Tensor, lengths: Tensor, outputs: int, seeds: list[int]) -> Tensor:
    """Points whose distances have the distribution of those of v W, where W (D, R) has N(0, 1) entries, anew for each set.

    W itself is not needed: the distances depend on v only through the Gram matrix G = v v', and v W W' v' has the
    distribution Wishart(R, G). With G = L L' a draw of it is (L A)(L A)', where A is Bartlett's (1933) lower triangular
    matrix, or R columns of N(0, 1) entries when R <= T.

    Args:
        inner: (B, T (T - 1) / 2) Euclidean distances of the points v of each set.
        lengths: (B, T) norms of the points.
        outputs: R, dimension of the images.
        seeds: B seeds, one for each set.

    Returns:
        (B, T, min(R, T)) float64.

    Examples:
        The squared norms of the images are R times those of the points in the mean: here two orthogonal unit vectors.

        >>> inner, lengths = torch.full((500, 1), 2**0.5), torch.ones(500, 2)
        >>> images = mapped_points(inner, lengths, outputs=40, seeds=list(range(500)))
        >>> images.shape, abs(images.square().sum(-1).mean().item() / 40 - 1) < 0.05
        (torch.Size([500, 2, 2]), True)
    """
    trials = lengths.shape[-1]
    squares = lengths.double() ** 2
    gram = squareform(inner).double().square_().neg_().add_(squares[:, None]).add_(squares[:, :, None]).div_(2)
    root = square_root(gram)
    return root @ torch.from_numpy(_factors(trials, outputs, seeds)).to(root)


def square_root(gram: Tensor) -> Tensor:
    """(B, T, T) L with L L' = gram; where T > D rounding makes eigenvalues negative, which are taken for zero.

    Examples:
        >>> square_root(torch.tensor([[[4.0, 2.0], [2.0, 5.0]]])).tolist()
        [[[2.0, 0.0], [1.0, 2.0]]]
    """
    finite = all_finite(gram)
    root, failing_minor = torch.linalg.cholesky_ex(gram.mT)  # laid out by columns, as LAPACK has it
    indefinite = finite & (failing_minor > 0)
    if bool(indefinite.any()):
        values, vectors = torch.linalg.eigh(gram[indefinite])
        root[indefinite] = vectors * values.clamp_min(0).sqrt()[:, None]
    root[~finite] = torch.nan
    return root


def _factors(trials: int, outputs: int, seeds: list[int]) -> Any:
    """(B, T, min(R, T)): R columns of N(0, 1), or their Bartlett factor, which has the same Gram matrix in distribution."""
    factors = np.zeros((len(seeds), trials, min(outputs, trials)))
    below, degrees = np.tri(trials, k=-1, dtype=bool), np.arange(outputs, outputs - trials, -1)
    for factor, seed in zip(factors, seeds, strict=True):
        generator = np.random.Generator(np.random.PCG64(seed))
        if outputs <= trials:
            generator.standard_normal(out=factor)
        else:
            factor[below] = generator.standard_normal(trials * (trials - 1) // 2)
            np.fill_diagonal(factor, np.sqrt(generator.chisquare(degrees)))
    return factors
