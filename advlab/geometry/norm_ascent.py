"""Images at which the Jacobian of a layer's features is as large as ascent can make it: what a global constant is at least."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from advlab.geometry.jacobian import Call, Jacobian
from advlab.models.input_gradient import input_gradient

FIRST_PRODUCTS = 20  # with J and J' at a start, whose singular vectors are not known yet
PRODUCTS = 4  # at each image that is tried; they begin with the singular vector of the image before
#: change of every pixel in one step, as a share of the distance of the bounds: first, at most and at least
FIRST_STEP, LARGEST_STEP, SMALLEST_STEP = 0.03, 0.3, 0.003
GROWTH, SHRINKAGE = 1.5, 0.5  # of a step, after an image that was better and one that was not


class AscendedNorms(NamedTuple):
    """Where the ascents from (n, C, H, W) starts ended.

    Attributes:
        value: (n,) float64, on the CPU: ||J v|| of a unit vector v at the image, which is never above the largest singular
            value there; NaN where features or products are not finite.
        x: (n, C, H, W) those images, inside the bounds.
        forwards: images that passed forward.
        backwards: images that passed backward.
    """

    value: Tensor
    x: Tensor
    forwards: int
    backwards: int


def ascend_jacobian_norm(
    call: Call, x: Tensor, *, steps: int, bounds: tuple[float, float] = (0.0, 1.0), batch_size: int = 64, seed: int = 0
) -> AscendedNorms:
    """Projected ascent of the largest singular value of J(x) over the images of a box, from each of some images.

    With its singular vectors u and v held, the value u'J(x)v has the gradient d/dv of J(x)'u. That derivative is zero almost
    everywhere for networks of ReLU and max-pooling, so it is taken as a difference over the length of a step, h, as
    (J(x + h v)'u - J(x - h v)'u) / 2h: what changes is which units are active. A step is as long in every pixel, by the
    gradient's signs, and is cut at the bounds; it is taken if some products with J and J' at its end (a power iteration from
    v) give more than before, and the next is then longer, otherwise shorter, and from the shortest the longest again. So
    values never fall, and none is above the true norm at its image: each is a lower bound of the global Lipschitz constant
    over the box.

    Args:
        call: (n, C, H, W) to (n, R), each row a function of its image alone.
        x: (n, C, H, W) starts inside the bounds.
        steps: images that are tried, one after the other, from each start.
        bounds: smallest and largest pixel value.
        batch_size: largest number of images in one pass.
        seed: of the first vector of the power iterations, the same for all starts.

    Raises:
        ValueError: as `Jacobian`.

    Examples:
        x -> x^2 stretches most, by 2, where a pixel is 1.

        >>> starts = torch.tensor([[[[0.3, 0.6]]]])
        >>> round(ascend_jacobian_norm(lambda x: x.flatten(1).square(), starts, steps=20).value.item(), 6)
        2.0
    """
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(x.shape[1:], generator=generator, dtype=torch.float64).to(x.device, x.dtype)
    ends = [_ascend(call, part, direction, steps, bounds) for part in x.split(batch_size)]
    tried = len(x) * steps
    return AscendedNorms(
        torch.cat([value for value, _ in ends]), torch.cat([image for _, image in ends]),
        forwards=len(x) + 3 * tried,
        backwards=2 * len(x) * FIRST_PRODUCTS + 2 * (1 + PRODUCTS) * tried,
    )  # fmt: skip


def _ascend(call: Call, x: Tensor, direction: Tensor, steps: int, bounds: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """(n,) values and (n, C, H, W) images at the ends of the ascents from one batch of starts."""
    low, high = bounds
    x = x.detach().clamp(low, high)
    v, u, value = _power_iteration(call, x, direction.expand_as(x), FIRST_PRODUCTS)
    step = torch.full((len(x), 1, 1, 1), FIRST_STEP * (high - low), device=x.device, dtype=x.dtype)
    for _ in range(steps):
        h = step * math.sqrt(v[0].numel())
        ahead, behind = (_pulled_back(call, (x + sign * h * v).clamp(low, high), u) for sign in (1, -1))
        tried = (x + step * (ahead - behind).sign()).clamp(low, high)
        tried_v, tried_u, tried_value = _power_iteration(call, tried, v, PRODUCTS)
        better = tried_value > value  # False for NaN
        images = better[:, None, None, None]
        x, v = torch.where(images, tried, x), torch.where(images, tried_v, v)
        u, value = torch.where(better[:, None], tried_u, u), torch.where(better, tried_value, value)
        step = (step * torch.where(images, GROWTH, SHRINKAGE)).clamp_max(LARGEST_STEP * (high - low))
        step = torch.where(step < SMALLEST_STEP * (high - low), LARGEST_STEP * (high - low), step)
    return value.double().cpu(), x


def _power_iteration(call: Call, x: Tensor, v: Tensor, products: int) -> tuple[Tensor, Tensor, Tensor]:
    """Right and left singular vectors (n, C, H, W) and (n, R), and (n,) ||J v||, after some products with J and J' from v."""
    jacobian = Jacobian(call, x)
    for _ in range(products):
        v = _unit(jacobian.vjp(_unit(jacobian.jvp(_unit(v)))))
    u = jacobian.jvp(v)
    value = torch.linalg.vector_norm(u, dim=1)
    finite = torch.isfinite(jacobian.value).all(1)  # a ReLU's derivative is finite where the features are not
    return v, _unit(u), torch.where(finite, value, torch.nan)


def _pulled_back(call: Call, x: Tensor, u: Tensor) -> Tensor:
    """(n, C, H, W) J(x)'u."""
    with torch.inference_mode(False), torch.enable_grad():
        tracked = x.detach().clone().requires_grad_()
        return input_gradient(call(tracked.clone()), tracked, u.clone())  # a copy: a network may write to its input


def _unit(vectors: Tensor) -> Tensor:
    """Rows divided by their norms; a row of zeros stays zero."""
    norms = torch.linalg.vector_norm(vectors.flatten(1), dim=1).clamp_min(torch.finfo(vectors.dtype).tiny)
    return vectors / norms.view(-1, *[1] * (vectors.ndim - 1))
