"""The largest singular values of a batch of linear maps that are known by their products alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Singular(NamedTuple):
    """Largest singular values.

    Attributes:
        value: (n,) float64, on the CPU; never above the true value by more than rounding.
        converged: (n,) bool: the residual is at most `tol` times the value.
        iterations: the most that any map took; each is one product with it and one with its transpose.
        residual: (n,) float64: a singular value lies within this of `value` (that it is the largest is certain up to the
            bad luck of a start that misses it).
    """

    value: Tensor
    converged: Tensor
    iterations: int
    residual: Tensor


def largest_singular_value(
    matvec: Callable[[Tensor], Tensor],
    rmatvec: Callable[[Tensor], Tensor],
    start: Tensor,
    *,
    tol: float,
    max_iter: int,
) -> Singular:
    """Golub-Kahan-Lanczos bidiagonalisation (Golub and Van Loan, section 10.4), for each map of a batch by itself.

    It takes the products of a power iteration on A'A and finds the best Rayleigh quotient of all of them, so that it is a
    lower bound as well, and near-degenerate singular values do not slow it. Nothing is orthogonalised again: this makes
    copies of values that have converged, and leaves the largest alone.

    Args:
        matvec: (n, D) to (n, R): A v for each map.
        rmatvec: (n, R) to (n, D): A' u.
        start: (n, D), not 0.
        tol: a map is done when the residual ||A'p - s q|| of its singular pair is at most tol * s.
        max_iter: products at most.

    Raises:
        ValueError: tol or max_iter is not above 0.
    """
    if tol <= 0 or max_iter < 1:
        raise ValueError(f"tol must be above 0 and max_iter at least 1, got {tol} and {max_iter}")
    n = len(start)
    value = torch.full((n,), torch.nan, dtype=torch.float64)
    error = value.clone()
    done = torch.zeros(n, dtype=torch.bool)
    band = torch.zeros(n, max_iter, max_iter, dtype=torch.float64)  # A = U band V': upper bidiagonal
    v, _ = _unit(start)
    u, alpha = _unit(matvec(v))
    for k in range(max_iter):
        band[:, k, k] = alpha.cpu()
        following, beta = _unit(rmatvec(u) - alpha[:, None] * v)
        if k % max(1, k // 16) == 0 or k + 1 == max_iter:  # looking costs k^3
            small = band[:, : k + 1, : k + 1]
            finite = torch.isfinite(small).all(-1).all(-1)
            left, s, _ = torch.linalg.svd(torch.where(finite[:, None, None], small, 0.0))
            residual = beta.cpu() * left[:, -1, 0].abs()
            # a map that is done keeps its numbers: what else is in the batch must not matter
            value = torch.where(done, value, torch.where(finite, s[:, 0], torch.nan))
            error = torch.where(done, error, torch.where(finite, residual, torch.nan))
            done |= error <= tol * value
            if bool((done | ~finite).all()):
                break
        if k + 1 < max_iter:
            band[:, k, k + 1] = beta.cpu()
            v = following
            u, alpha = _unit(matvec(v) - beta[:, None] * u)
    return Singular(value, done, k + 1, error)


def _unit(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """(n, D) rows divided by their norms, and the (n,) norms; a row of zeros stays."""
    norms = torch.linalg.vector_norm(vectors, dim=1)
    return vectors / norms.clamp_min(torch.finfo(norms.dtype).tiny)[:, None], norms
