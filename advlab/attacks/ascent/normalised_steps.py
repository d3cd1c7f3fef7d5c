"""Gradient ascent of any objective by steps of one given L2 length: for hard points and the one-step attack (barati2021, IV-C)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from advlab.models.input_gradient import input_gradient

Objective = Callable[[Tensor], Tensor]  # (N, C, H, W) images to (N,) values, each of its own image alone


def ascend_normalised(
    function: Objective, x: Tensor, *, steps: int, step: float, bounds: tuple[float, float] = (0.0, 1.0)
) -> Tensor:
    """Images that have gone some steps along the normalised gradient, clipped to the bounds after each step.

    An image stays where it is when its gradient is zero or not finite.

    Args:
        function: what rises; see `Objective`.
        x: (N, C, H, W) images at which the ascent begins.
        steps: how many.
        step: L2 norm of one step, in the units of the pixels.
        bounds: lowest and highest pixel value.

    Returns:
        (N, C, H, W), detached; no tensor's `.grad` is touched.

    >>> x = torch.full((1, 1, 1, 2), 0.5)
    >>> brightness = lambda images: images.flatten(1) @ torch.tensor([3.0, 4.0])
    >>> torch.round(ascend_normalised(brightness, x, steps=2, step=0.1), decimals=2).flatten()
    tensor([0.6200, 0.6600])
    """
    ascended = x.detach()
    for _ in range(steps):
        ascended = torch.add(ascended, normalised_gradient(function, ascended), alpha=step).clamp_(*bounds)
    return ascended


def normalised_gradient(function: Objective, x: Tensor) -> Tensor:
    """(N, C, H, W) gradients of `function` at the images `x` (N, C, H, W), each divided by its L2 norm; see `unit`.

    The one-step attack of barati2021 is x + epsilon normalised_gradient(loss of the label, x).

    >>> normalised_gradient(lambda images: images.square().flatten(1).sum(1), torch.tensor([[[[3.0, 4.0]]]])).flatten()
    tensor([0.6000, 0.8000])
    """
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        gradient = input_gradient(function(leaf).sum(), leaf)
    return unit(gradient)


def unit(gradient: Tensor) -> Tensor:
    """(N, ...) gradients divided by their L2 norms; zero where the norm is zero or not finite.

    >>> unit(torch.tensor([[3.0, 4.0], [0.0, 0.0], [torch.inf, 1.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0], [0.0, 0.0]]
    """
    flat = gradient.flatten(1)
    # in float64 (MPS has none) the squares of tiny numbers do not vanish
    precise = torch.float32 if flat.device.type == "mps" else torch.float64
    norms = torch.linalg.vector_norm(flat, dim=1, keepdim=True, dtype=precise)
    finite = torch.isfinite(norms)
    scale = torch.where((norms > 0) & finite, 1 / norms, 0.0)
    normalised = flat * scale.clamp_max(1e38).to(flat.dtype)
    # 0 times infinity is NaN; on a GPU it is replaced unasked, since the host would have to wait for the answer
    if flat.device.type != "cpu" or not bool(finite.all()):
        normalised.nan_to_num_(0.0, 0.0, 0.0)
    return normalised.view_as(gradient)
