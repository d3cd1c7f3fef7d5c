"""The largest singular value of each linear map of a batch, from products with the maps and their transposes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class SingularValues(NamedTuple):
    """Largest singular value of each map.

    Attributes:
        value: (n,) float64, on the CPU; never above the true value by more than rounding.
        converged: (n,) bool: the residual is at most `tol` times the value.
        iterations: the largest number that any map took; each is one product with the map and one with its transpose.
        residual: (n,) float64: some singular value lies within this distance of `value`. It is the largest one unless the
            start happens to be orthogonal to its singular vector.
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
) -> SingularValues:
    """Golub-Kahan-Lanczos bidiagonalisation (Golub and Van Loan, section 10.4), for each map of a batch by itself.

    It costs the products of a power iteration on A'A, and takes the largest Rayleigh quotient over the space that these
    span. So it too never exceeds the true value, and it is not slowed down by singular values that lie close together. The
    vectors are not orthogonalised again: rounding then only adds copies of converged values, which do not change the largest.

    Args:
        matvec: (n, D) to (n, R): A v for each map.
        rmatvec: (n, R) to (n, D): A' u for each map.
        start: (n, D) start vectors, none of them 0.
        tol: a map has converged when the residual ||A'p - s q|| of its singular triple (s, p, q) is at most tol * s.
        max_iter: largest number of products with A.

    Raises:
        ValueError: tol or max_iter is not above 0.

    Examples:
        The singular values of a diagonal matrix are its entries.

        >>> entries = torch.tensor([[1.0, 2.0, 5.0]], dtype=torch.float64)
        >>> top = largest_singular_value(
        ...     lambda v: entries * v, lambda u: entries * u, torch.ones_like(entries), tol=1e-9, max_iter=10
        ... )
        >>> round(top.value.item(), 6), top.converged.item()
        (5.0, True)
    """
    if tol <= 0 or max_iter < 1:
        raise ValueError(f"tol must be above 0 and max_iter at least 1, got {tol} and {max_iter}")
    n = len(start)
    value = torch.full((n,), torch.nan, dtype=torch.float64)
    residual = value.clone()
    converged = torch.zeros(n, dtype=torch.bool)
    band = torch.zeros(n, max_iter, max_iter, dtype=torch.float64)  # A = U band V': upper bidiagonal
    v, _ = _unit(start)
    u, alpha = _unit(matvec(v))
    for k in range(max_iter):
        band[:, k, k] = alpha.cpu()
        next_v, beta = _unit(rmatvec(u) - alpha[:, None] * v)
        if k % max(1, k // 16) == 0 or k + 1 == max_iter:  # not in every iteration: this check costs k^3
            leading = band[:, : k + 1, : k + 1]
            finite = torch.isfinite(leading).all(-1).all(-1)
            left, s, _ = torch.linalg.svd(torch.where(finite[:, None, None], leading, 0.0))
            new_residual = beta.cpu() * left[:, -1, 0].abs()
            # a map that has converged keeps its numbers, so that they do not depend on what else is in the batch
            value = torch.where(converged, value, torch.where(finite, s[:, 0], torch.nan))
            residual = torch.where(converged, residual, torch.where(finite, new_residual, torch.nan))
            converged |= residual <= tol * value
            if bool((converged | ~finite).all()):
                break
        if k + 1 < max_iter:
            band[:, k, k + 1] = beta.cpu()
            v = next_v
            u, alpha = _unit(matvec(v) - beta[:, None] * u)
    return SingularValues(value, converged, k + 1, residual)


def _unit(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """(n, D) rows divided by their norms, and the (n,) norms; a row of zeros stays zero."""
    norms = torch.linalg.vector_norm(vectors, dim=1)
    return vectors / norms.clamp_min(torch.finfo(norms.dtype).tiny)[:, None], norms
