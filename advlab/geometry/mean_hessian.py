"""Principal directions and curvatures of a mean Hessian, dense or by Lanczos (jetley2018, algorithm 1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from advlab.errors import ArgumentError
from advlab.geometry.mean_hessian_operator import MeanHessian, authors_step

__all__ = ["CurvatureBasis", "MeanHessian", "authors_step", "dense_curvatures", "lanczos_curvatures"]

LARGEST_DENSE = 3072  # values of an image whose whole Hessian is formed: 75 MB in float64
SPARE = 8  # Lanczos vectors beyond the pairs that are asked for
CHUNK = 256  # unit vectors whose products are asked for at once


@dataclass(frozen=True)
class CurvatureBasis:
    """Principal directions of a mean Hessian, most positive first; float64 on the CPU as they are computed.

    Of a finite step H is not linear, so that an eigenpair of the dense matrix, and one that ARPACK calls converged, need not
    be one of the operator: `rayleigh` and `residuals` say how far it is.

    Attributes:
        directions: (m, D) orthonormal rows; the entry of largest magnitude of each is positive.
        curvatures: (m,) their eigenvalues, descending; m = D of dense, twice the pairs of Lanczos.
        rayleigh: (m,) v'Hv by the operator itself; NaN of a pair that was not checked.
        residuals: (m,) ||Hv - lambda v|| / ||Hv||; NaN of a pair that was not checked, 0 where both are 0.
        asymmetry: ||H - H'|| / ||H|| of the dense matrix, 0 where H is 0; NaN of Lanczos.

    Examples:
        Of a quadratic score the operator is linear: no residual, no asymmetry.

        >>> def logits(x):
        ...     values = x.flatten(1)
        ...     return torch.stack([values.square() @ torch.tensor([1.0, 0.0, -2.0]), 0 * values[:, 0]], 1)
        >>> points, sources = torch.zeros(3, 1, 1, 3), torch.ones(3, dtype=torch.int64)
        >>> operator = MeanHessian(logits, points, 0, sources, step=0.5, batch_size=8)
        >>> basis = dense_curvatures(operator)
        >>> basis.rayleigh.tolist(), basis.residuals.tolist(), basis.asymmetry
        ([2.0, 0.0, -4.0], [0.0, 0.0, 0.0], 0.0)
    """

    directions: Tensor
    curvatures: Tensor
    rayleigh: Tensor
    residuals: Tensor
    asymmetry: float


def dense_curvatures(
    operator: MeanHessian, *, checked: int | None = 10, report: Callable[[int, int], None] | None = None
) -> CurvatureBasis:
    """All D principal directions, of the symmetric part of the matrix of products with unit vectors, in float64.

    Args:
        operator: takes 2 D gradients a point for it.
        checked: so many pairs of either end, and so many of smallest magnitude, are checked by products; None: all.
        report: is told how many products of how many are done.

    Raises:
        ArgumentError: an image has more than 3072 values, or gradients are NaN or infinite.

    Examples:
        F_0 = x_0^2 - 2 x_2^2 and F_1 = 0.

        >>> def logits(x):
        ...     values = x.flatten(1)
        ...     return torch.stack([values.square() @ torch.tensor([1.0, 0.0, -2.0]), 0 * values[:, 0]], 1)
        >>> points, sources = torch.zeros(3, 1, 1, 3), torch.ones(3, dtype=torch.int64)
        >>> operator = MeanHessian(logits, points, 0, sources, step=0.5, batch_size=8)
        >>> dense_curvatures(operator).curvatures.tolist()
        [2.0, 0.0, -4.0]
    """
    size = operator.size
    if size > LARGEST_DENSE:
        raise ArgumentError(
            f"a dense Hessian of {size} values is not formed, {LARGEST_DENSE} at most: type experiment.basis=lanczos"
        )
    rows = []
    for start in range(0, size, CHUNK):
        unit = torch.eye(min(CHUNK, size - start), size, dtype=torch.float64).roll(start, 1)
        rows.append(_finite_products(operator, unit))
        if report:
            report(start + len(unit), size)
    matrix = torch.cat(rows)
    norm = float(matrix.norm())
    curvatures, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    basis = curvatures.flip(0), _with_signs(vectors.T.flip(0))
    asymmetry = float((matrix - matrix.T).norm()) / norm if norm else 0.0
    flattest = basis[0].abs().argsort()
    ends = torch.arange(size) if checked is None else torch.cat(
        [torch.arange(size)[:checked], torch.arange(size)[max(0, size - checked) :], flattest[:checked]]
    ).unique()  # fmt: skip
    return _checked_basis(operator, *basis, ends, asymmetry)


def lanczos_curvatures(
    operator: MeanHessian, pairs: int, *, tolerance: float = 0.1, seed: int = 0, check: bool = True
) -> CurvatureBasis:
    """The `pairs` most positive and as many most negative principal directions, by ARPACK ("BE": both ends).

    "LM", the largest magnitudes, may find a single positive one among twenty.

    Args:
        operator: takes 2 gradients a point for each product.
        pairs: of either end.
        tolerance: relative, of ARPACK's own estimate, which holds for linear operators.
        seed: of the vector that it starts with.
        check: take another product of each pair, for `rayleigh` and `residuals`.

    Raises:
        ArgumentError: there are no more than twice the pairs of dimensions, ARPACK gives up, or gradients are NaN or infinite.

    Examples:
        F_0 = x_0^2 - 2 x_2^2 and F_1 = 0: the flat direction between both ends is not found.

        >>> def logits(x):
        ...     values = x.flatten(1)
        ...     return torch.stack([values.square() @ torch.tensor([1.0, 0.0, -2.0]), 0 * values[:, 0]], 1)
        >>> points, sources = torch.zeros(3, 1, 1, 3), torch.ones(3, dtype=torch.int64)
        >>> operator = MeanHessian(logits, points, 0, sources, step=0.5, batch_size=8)
        >>> lanczos_curvatures(operator, 1).curvatures.round(decimals=6).tolist()
        [2.0, -4.0]
    """
    size, count = operator.size, 2 * pairs
    if not 0 < count < size:
        raise ArgumentError(f"{pairs} pairs of either end need more than {count} values an image, got {size}")
    start = torch.from_numpy(np.random.default_rng(seed).standard_normal(size))
    if not _finite_products(operator, start[None]).any():  # ARPACK cannot start; nor is there anything to find
        vectors, curvatures = torch.linalg.qr(torch.from_numpy(np.eye(size, count))).Q, torch.zeros(count).double()
    else:
        linear = LinearOperator(
            (size, size), dtype=np.float64,
            matvec=lambda v: _finite_products(operator, torch.from_numpy(np.ascontiguousarray(v)).view(1, -1))[0].numpy(),
        )  # fmt: skip
        try:
            values, columns = eigsh(
                linear, count, which="BE", tol=tolerance, v0=start.numpy(), ncv=min(size, count + SPARE)
            )
        except ArpackNoConvergence as error:
            raise ArgumentError(
                f"ARPACK did not find {count} pairs to {tolerance}: type experiment.tolerance={min(1.0, 3 * tolerance):g} or "
                "fewer experiment.pairs"
            ) from error
        curvatures, order = torch.from_numpy(values).sort(descending=True)
        vectors = torch.from_numpy(columns)[:, order]
    everything = torch.arange(count if check else 0)
    return _checked_basis(operator, curvatures, _with_signs(vectors.T), everything, math.nan)


def _checked_basis(
    operator: MeanHessian, curvatures: Tensor, directions: Tensor, checked: Tensor, asymmetry: float
) -> CurvatureBasis:
    """The basis with the Rayleigh quotients and residuals of the pairs `checked` (j,)."""
    rayleigh, residuals = torch.full_like(curvatures, math.nan), torch.full_like(curvatures, math.nan)
    if len(checked):
        v, values = directions[checked], curvatures[checked]
        products = _finite_products(operator, v)
        rayleigh[checked] = (products * v).sum(1)
        away = (products - values[:, None] * v).norm(dim=1)
        residuals[checked] = torch.where(away > 0, away / products.norm(dim=1), 0.0)
    return CurvatureBasis(directions, curvatures, rayleigh, residuals, asymmetry)


def _finite_products(operator: MeanHessian, v: Tensor) -> Tensor:
    """(k, D) float64 products with directions (k, D), on the CPU.

    Raises:
        ArgumentError: some are NaN or infinite.
    """
    products = operator.products(v).cpu()
    if not bool(products.isfinite().all()):
        raise ArgumentError(
            "the gradients of the network at the boundary points, or a finite step from them, are NaN or infinite: type a "
            "smaller experiment.step, or check the network"
        )
    return products


def _with_signs(directions: Tensor) -> Tensor:
    """The rows (m, D), each with the sign that makes its entry of largest magnitude positive."""
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return directions * torch.where(largest < 0, -1.0, 1.0)
