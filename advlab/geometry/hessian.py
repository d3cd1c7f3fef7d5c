"""How far the Hessian of a score is from c I and from a I + b 11' (aghdam2017, section 2.1), by products with random signs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from advlab.errors import ArgumentError
from advlab.geometry.second_derivatives import NO_GRADIENT, differentiable_twice
from advlab.models.input_gradient import has_operation, input_gradient

ImageFunction = Callable[[Tensor], Tensor]  # (n, C, H, W) to (n,), each value a function of its image alone


class HessianSpread(NamedTuple):
    """Gradients and Hessians of a function at n images of D values, all float64 on the CPU.

    Attributes:
        gradient: (n, D).
        norm: (n,) ||H||_F.
        trace: (n,) tr H.
        isotropic: (n,) min_c ||H - c I||_F / ||H||_F; NaN where H is 0.
        symmetric: (n,) min_{a, b} ||H - a I - b 11'||_F / ||H||_F; NaN where H is 0.
        errors: (n, 4) standard errors of the four above, by the jackknife over the directions; 0 of all unit vectors.
    """

    gradient: Tensor
    norm: Tensor
    trace: Tensor
    isotropic: Tensor
    symmetric: Tensor
    errors: Tensor


def random_signs(count: int, size: int, *, seed: int = 0) -> Tensor:
    """(count, size) int8 entries +1 and -1 (Rademacher), on the CPU.

    All images share these directions, so that results do not depend on how images are batched.

    Examples:
        >>> signs = random_signs(4, 10, seed=1)
        >>> signs.shape, signs.unique().tolist()
        (torch.Size([4, 10]), [-1, 1])
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (count, size), generator=generator, dtype=torch.int8) * 2 - 1


def hessian_directions(count: int, size: int, *, seed: int = 0) -> Tensor:
    """(m, size) int8: `count` random signs, or where that is no fewer, all `size` unit vectors, which make norms exact.

    Examples:
        >>> hessian_directions(2, 4).shape, hessian_directions(9, 2).tolist()
        (torch.Size([2, 4]), [[1, 0], [0, 1]])
    """
    return random_signs(count, size, seed=seed) if count < size else torch.eye(size, dtype=torch.int8)


def hessian_spread(function: ImageFunction, x: Tensor, directions: Tensor, *, step: float = 0.0) -> HessianSpread:
    """Gradient and norms of the Hessian H at each image, from products H z with m directions and H 1; H is not formed.

    With q = 1 / sqrt(D), the unit vector along 11', and P = I - qq', ||H||_F^2 = ||Hq||^2 + E ||HPz||^2 and
    tr H = q'Hq + E z'PHPz over Rademacher z (Hutchinson 1990). HPz = Hz - Hq (q'z) needs no product of its own. The squared
    distance to c I is ||Hq - c q||^2, which is exact, plus E ||HPz - c Pz||^2; that to a I + b 11' likewise. So Hessians
    c I and a I + b 11' give the distance 0 whichever directions are drawn. All D unit vectors give the sums themselves, since
    ||HP||_F^2 is the sum of ||HPe_i||^2, and tr PHP that of e_i'PHPe_i.

    Args:
        function: (n, C, H, W) to (n,), each value a function of its image alone.
        x: (n, C, H, W), all evaluated in one batch; a result does not depend on the other images.
        directions: (m, D) entries +1 and -1, m at least 2; or all unit vectors, (D, D), in their order.
        step: 0: exact products, by differentiating twice. Above 0: the length in x of a central difference of gradients,
            for piecewise linear functions, whose exact Hessian is 0 almost everywhere.

    Raises:
        ValueError: the shapes do not fit, or the step is negative.
        ArgumentError: the function cannot be differentiated, or not twice.

    Examples:
        ||x||^2 / 2 has the Hessian I: of D = 4 values, its norm is 2, its trace 4, and its distance from c I is 0.

        >>> x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> spread = hessian_spread(lambda x: x.square().sum((1, 2, 3)) / 2, x, random_signs(2, 4))
        >>> spread.gradient.tolist(), round(spread.norm.item(), 6), round(spread.trace.item(), 6)
        ([[1.0, 2.0, 3.0, 4.0]], 2.0, 4.0)
        >>> round(spread.isotropic.item(), 3)
        0.0
    """
    size = math.prod(x.shape[1:])
    if directions.ndim != 2 or directions.shape[1] != size or len(directions) < 2 or size < 2 or step < 0:
        raise ValueError(
            f"at least 2 directions of the images' {size} values are needed, got {tuple(directions.shape)}; "
            f"the step must not be negative, got {step}"
        )
    remedy = ": a step above 0 takes differences of gradients instead (experiment.step=0.001)"
    with torch.inference_mode(False), differentiable_twice(remedy):
        gradient, product = _products(function, x.clone(), step)
        h_q = product(torch.full((size,), size**-0.5, dtype=torch.float64))
        terms = torch.empty(3, len(x), len(directions), dtype=torch.float64)  # ||HPz||^2, z'PHPz and ||Pz||^2 of each z
        for k, signs in enumerate(directions):
            z = signs.to(h_q.device).double()
            mean = z.mean()  # q'z q = mean(z) 1
            h_pz = product(z) - h_q * (mean * size**0.5)
            pz = z - mean
            terms[:, :, k] = torch.stack([h_pz.square().sum(1), h_pz @ pz, pz.square().sum().expand(len(x))]).cpu()
    exact = torch.stack([h_q.square().sum(1), h_q.sum(1) * size**-0.5]).cpu()[..., None]  # ||Hq||^2 and q'Hq
    norm, trace, isotropic, symmetric = _statistics(exact, terms.sum(2, keepdim=True), size)[..., 0]
    count = len(directions)
    jackknife = _statistics(exact, terms.sum(2, keepdim=True) - terms, size)  # each direction left out in turn
    squared_deviations = (jackknife - jackknife.mean(-1, keepdim=True)).square().sum(-1)
    errors = (squared_deviations * ((count - 1) / count)).sqrt().T
    if torch.equal(directions.cpu(), torch.eye(size, dtype=directions.dtype)):  # nothing was drawn
        errors = torch.zeros_like(errors)
    return HessianSpread(gradient.cpu(), norm, trace, isotropic, symmetric, errors)


def _statistics(exact: Tensor, sums: Tensor, size: int) -> Tensor:
    """(4, n, k) norm, trace and the two relative distances of Hessians of `size` D.

    Args:
        exact: ||Hq||^2 and q'Hq, (n, 1) each.
        sums: of ||HPz||^2, z'PHPz and ||Pz||^2 over the directions of each of k estimates, (n, k) each.
        size: D.
    """
    hq_squared, q_hq = exact
    hpz_squared, z_phpz, pz_squared = sums
    scale = (size - 1) / pz_squared.clamp_min(1e-300)  # E ||Pz||^2 = D - 1, which is also the sum over unit vectors
    hp_squared, trace_php = hpz_squared * scale, z_phpz * scale  # ||HP||_F^2 and tr PHP
    h_squared, trace = (hq_squared + hp_squared).clamp_min(0), q_hq + trace_php
    c = trace / size
    isotropic = hq_squared - 2 * c * q_hq + c * c + hp_squared - 2 * c * trace_php + c * c * (size - 1)
    symmetric = hq_squared - q_hq * q_hq + hp_squared - trace_php * trace_php / (size - 1)
    distances = [(squared.clamp_min(0) / h_squared).sqrt() for squared in (isotropic, symmetric)]  # 0 / 0 is NaN
    return torch.stack([h_squared.sqrt(), trace, *distances])


def _products(function: ImageFunction, x: Tensor, step: float) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """(n, D) float64 gradients, and the function that takes (D,) directions z to (n, D) products H z."""

    def double_rows(values: Tensor) -> Tensor:
        return (values.cpu() if x.device.type == "mps" else values).double().flatten(1)  # MPS has no float64

    def as_image(z: Tensor) -> Tensor:
        return z.to(x.dtype).to(x.device).view(x.shape[1:])

    if step:

        def difference(z: Tensor) -> Tensor:
            length = float(z.norm())
            v = as_image(z * (step / length))
            ahead, behind = (image_gradient(function, x + sign * v, False)[1] for sign in (1, -1))
            return (double_rows(ahead) - double_rows(behind)) * (length / (2 * step))

        return double_rows(image_gradient(function, x, False)[1]), difference
    leaf, gradient = image_gradient(function, x, True)

    def exact(z: Tensor) -> Tensor:
        if not gradient.requires_grad:  # the function is linear
            return torch.zeros_like(double_rows(gradient))
        v = as_image(z).expand_as(gradient)
        (product,) = torch.autograd.grad(gradient, leaf, v, retain_graph=True, materialize_grads=True)
        return double_rows(product)

    return double_rows(gradient.detach()), exact


def image_gradient(function: ImageFunction, x: Tensor, twice: bool) -> tuple[Tensor, Tensor]:
    """The leaf of the graph, a copy of x, and the (n, C, H, W) gradients with respect to it; `twice`: with their own graph.

    Examples:
        >>> x = torch.tensor([[[[3.0, -1.0]]]])
        >>> leaf, gradient = image_gradient(lambda x: x.square().sum((1, 2, 3)), x, twice=False)
        >>> gradient.tolist()
        [[[[6.0, -2.0]]]]
    """
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        value = function(leaf.clone())  # a copy, for a network may write to its input
        if value.shape != x.shape[:1]:
            raise ValueError(f"the function must give one value an image, got {tuple(value.shape)} for {len(x)}")
        if not value.requires_grad:
            raise ArgumentError(NO_GRADIENT)
        if not twice:
            return leaf, input_gradient(value.sum(), leaf)
        # ones that take gradients: only for such does torch mark a custom function without a second derivative
        ones = torch.ones_like(value).requires_grad_()
        (gradient,) = torch.autograd.grad(value, leaf, ones, create_graph=True)
        if has_operation(
            gradient, "torch::autograd::Error"
        ):  # which is never asked, since it hides the way to the images
            raise RuntimeError("a function that was marked with @once_differentiable")
    return leaf, gradient
