"""Gradient ascent of any objective by steps of one L2 length: hard points, and the one-step attack (barati2021, IV-C)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


def ascend_normalised(
    function: Function, x: Tensor, *, steps: int, step: float, bounds: tuple[float, float] = (0.0, 1.0)
) -> Tensor:
    """Steps along the normalised gradient, clipped to the bounds after each.

    An image stays where its gradient is zero or not finite.

    Args:
        function: (N, C, H, W) images to (N,) values, each of its own image alone.
        x: where it begins.
        steps: how many.
        step: L2 norm of one.
        bounds: lowest and highest pixel value.

    Returns:
        (N, C, H, W), detached; no tensor's `.grad` is touched.
    """
    moved = x.detach()
    for _ in range(steps):
        moved = torch.add(moved, normalised_gradient(function, moved), alpha=step).clamp_(*bounds)
    return moved


def normalised_gradient(function: Function, x: Tensor) -> Tensor:
    """(N, C, H, W) gradients of `function` at the images x, each of L2 norm 1; see `unit`.

    The one-step attack of barati2021 is x + epsilon normalised_gradient(loss of the label, x).
    """
    with torch.enable_grad():
        at = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(function(at).sum(), at)
    return unit(gradient)


def unit(gradient: Tensor) -> Tensor:
    """(N, ...) gradients divided by their L2 norms; zero where the norm is zero or not finite."""
    flat = gradient.flatten(1)
    # in float64 (MPS has none) the squares of tiny numbers do not vanish
    exact = torch.float32 if flat.device.type == "mps" else torch.float64
    norms = torch.linalg.vector_norm(flat, dim=1, keepdim=True, dtype=exact)
    finite = torch.isfinite(norms)
    scale = torch.where((norms > 0) & finite, 1 / norms, 0.0)
    found = flat * scale.clamp_max(1e38).to(flat.dtype)
    if flat.device.type != "cpu" or not bool(finite.all()):  # 0 times infinity; a look at the norms would halt a GPU
        found.nan_to_num_(0.0, 0.0, 0.0)
    return found.view_as(gradient)
