"""The subspace that a basis confines DeepFool's steps to."""

from __future__ import annotations

import torch

from advlab.attacks.boundary.deepfool.params import DeepFool
from advlab.attacks.boundary.nearest_boundary import Projection
from advlab.attacks.problem import Problem
from advlab.errors import ArgumentError


def projection(problem: Problem, params: DeepFool) -> Projection:
    """The orthogonal projection of gradients (n, C, H, W) onto the span of `basis` (D, d), or the identity without one.

    Raises:
        ArgumentError: a basis of the wrong shape, that is not orthonormal, or together with clipping or another norm.
    """
    basis = problem.data.get("basis")
    if basis is None:
        return lambda gradients: gradients
    size = problem.x[0].numel() if len(problem) else basis.shape[0]
    if basis.ndim != 2 or basis.shape[0] != size or not 0 < basis.shape[1] <= size:
        raise ArgumentError(f"basis must be of shape (D, d) with D = {size} and d at most D, got {tuple(basis.shape)}")
    if params.norm != "l2":
        raise ArgumentError("a basis confines steps in the norm l2 only: set norm=l2")
    if params.clip != "none" or params.refine:
        raise ArgumentError("clipping would leave the span of the basis: set clip=none and refine=false")
    gram = basis.double().T @ basis.double()
    error = float((gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device)).abs().max())
    if not error < 1e-3:
        raise ArgumentError(
            f"the columns of basis must be orthonormal, they are off by {error:.2g}: take torch.linalg.qr of it"
        )
    q = basis.to(problem.x)
    return lambda gradients: ((gradients.flatten(1) @ q) @ q.T).view_as(gradients)
