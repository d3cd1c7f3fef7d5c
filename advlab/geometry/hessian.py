"""How far the Hessian of a score is from c I and from a I + b 11', by products with random signs (section 2.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]  # (n, C, H, W) to (n,), each value a function of its image alone


class HessianSpread(NamedTuple):
    """Gradients and Hessians of a function at n images of D values, all float64 on the CPU.

    Attributes:
        gradient: (n, D).
        norm: (n,) ||H||_F.
        trace: (n,) tr H.
        isotropic: (n,) min_c ||H - c I||_F / ||H||_F; NaN where H is 0.
        symmetric: (n,) min_{a, b} ||H - a I - b 11'||_F / ||H||_F; NaN where H is 0.
        errors: (n, 4) standard errors of the four above, by the jackknife over the directions.
    """

    gradient: Tensor
    norm: Tensor
    trace: Tensor
    isotropic: Tensor
    symmetric: Tensor
    errors: Tensor


def random_signs(count: int, size: int, *, seed: int = 0) -> Tensor:
    """(count, size) Rademacher directions, on the CPU: the same ones for every image, so that batches do not matter."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (count, size), generator=generator, dtype=torch.int8) * 2 - 1


def hessian_spread(function: Function, x: Tensor, directions: Tensor, *, step: float = 0.0) -> HessianSpread:
    """Estimates from H z for the given directions and from H 1, without forming H.

    With q = 1 / sqrt(D) and P = I - qq', ||H||_F^2 = ||Hq||^2 + E ||HPz||^2 and tr H = q'Hq + E z'PHPz over Rademacher z
    (Hutchinson 1990); HPz = Hz - Hq (q'z) needs no further product. Both distances are those of the parts: what remains
    of Hq is exact, and of HP it is E ||HPz - c Pz||^2. So c I and a I + b 11' give 0 whatever the draws.

    Args:
        function: (n, C, H, W) to (n,), each value a function of its image alone.
        x: (n, C, H, W), as many as fit at a time; what else is in the batch does not matter.
        directions: (m, D) entries of +1 and -1, m at least 2.
        step: 0: exact products, by differentiating twice. Otherwise the length in x of a central difference of
            gradients: for functions that are piecewise linear, whose exact Hessian is 0 almost everywhere.

    Raises:
        ValueError: the shapes do not fit, or the step is negative.
    """
    size = math.prod(x.shape[1:])
    if directions.ndim != 2 or directions.shape[1] != size or len(directions) < 2 or size < 2 or step < 0:
        raise ValueError(
            f"at least 2 directions of the images' {size} values are needed, got {tuple(directions.shape)}; "
            f"the step must not be negative, got {step}"
        )
    with torch.inference_mode(False):
        gradient, product = _products(function, x.clone(), step)
        along = product(torch.full((size,), size**-0.5, dtype=torch.float64))  # Hq
        sums = torch.empty(3, len(x), len(directions), dtype=torch.float64)
        for k, signs in enumerate(directions):
            z = signs.to(along.device).double()
            mean = z.mean()  # q'z q = mean(z) 1
            across = product(z) - along * (mean * size**0.5)  # HPz
            projected = z - mean  # Pz
            sums[:, :, k] = torch.stack(
                [across.square().sum(1), across @ projected, projected.square().sum().expand(len(x))]
            ).cpu()
    fixed = torch.stack([along.square().sum(1), along.sum(1) * size**-0.5]).cpu()[..., None]  # ||Hq||^2, q'Hq
    norm, trace, isotropic, symmetric = _statistics(fixed, sums.sum(2, keepdim=True), size)[..., 0]
    count = len(directions)
    without = _statistics(fixed, sums.sum(2, keepdim=True) - sums, size)  # each direction left out in turn
    spread = (without - without.mean(-1, keepdim=True)).square().sum(-1)
    errors = (spread * ((count - 1) / count)).sqrt().T
    return HessianSpread(gradient.cpu(), norm, trace, isotropic, symmetric, errors)


def _statistics(fixed: Tensor, sums: Tensor, size: int) -> Tensor:
    """(4, n, k) norm, trace and the two distances from sums of ||HPz||^2, z'PHPz and ||Pz||^2 over the directions."""
    length, own = fixed
    squares, products, weights = sums
    scale = (size - 1) / weights.clamp_min(1e-300)  # E ||Pz||^2 = D - 1
    square, inner = squares * scale, products * scale  # ||HP||_F^2 and tr PHP
    norm, trace = (length + square).clamp_min(0), own + inner
    c = trace / size
    isotropic = length - 2 * c * own + c * c + square - 2 * c * inner + c * c * (size - 1)
    symmetric = length - own * own + square - inner * inner / (size - 1)
    distances = [(part.clamp_min(0) / norm).sqrt() for part in (isotropic, symmetric)]  # 0 / 0 is NaN
    return torch.stack([norm.sqrt(), trace, *distances])


def _products(function: Function, x: Tensor, step: float) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """(n, D) float64 gradients, and the function that takes (D,) directions to (n, D) products."""

    def double(found: Tensor) -> Tensor:
        return (found.cpu() if x.device.type == "mps" else found).double().flatten(1)  # it has no float64

    def placed(z: Tensor) -> Tensor:
        return z.to(x.dtype).to(x.device).view(x.shape[1:])

    if step:

        def difference(z: Tensor) -> Tensor:
            length = float(z.norm())
            v = placed(z * (step / length))
            ahead, behind = (_gradient(function, x + sign * v, False)[1] for sign in (1, -1))
            return (double(ahead) - double(behind)) * (length / (2 * step))

        return double(_gradient(function, x, False)[1]), difference
    leaf, gradient = _gradient(function, x, True)

    def exact(z: Tensor) -> Tensor:
        if not gradient.requires_grad:  # linear
            return torch.zeros_like(double(gradient))
        v = placed(z).expand_as(gradient)
        (product,) = torch.autograd.grad(gradient, leaf, v, retain_graph=True, materialize_grads=True)
        return double(product)

    return double(gradient.detach()), exact


def _gradient(function: Function, x: Tensor, twice: bool) -> tuple[Tensor, Tensor]:
    """The leaf, and (n, C, H, W) gradients at it."""
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        value = function(leaf.clone())  # a network may write to its input
        if value.shape != x.shape[:1]:
            raise ValueError(f"the function must give one value an image, got {tuple(value.shape)} for {len(x)}")
        (gradient,) = torch.autograd.grad(value.sum(), leaf, create_graph=twice)
    return leaf, gradient
