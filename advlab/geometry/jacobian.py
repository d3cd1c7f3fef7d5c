"""The Jacobian of a layer's features with respect to the image: products with it, and its largest singular value."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from advlab.errors import ArgumentError
from advlab.geometry.second_derivatives import NO_GRADIENT, differentiable_twice
from advlab.geometry.singular import SingularValues, largest_singular_value
from advlab.models.forward import out_of_memory

Call = Callable[[Tensor], Tensor]  # (n, C, H, W) to (n, R), each row a function of its image alone


class Jacobian:
    """J(x) = d call / d x for each image of a batch: one forward pass, then any number of products.

    J'u is a backward pass. It is linear in u, so that its derivative with respect to u in the direction v is J v: a
    backward pass through the backward pass, which works for layers without a forward-mode rule. Gradients of parameters are
    left alone. Works under inference_mode too.

    Args:
        call: (n, C, H, W) to (n, R), each row a function of its image alone. For the features of a layer it is
            `lambda x: classifier.features(x, layer)[1]`, with the classifier `frozen`.
        x: (n, C, H, W) images.

    Raises:
        ValueError: the output of `call` is not (n, R).
        ArgumentError: it cannot be differentiated, or not twice, here or in `jvp`.

    Attributes:
        value: (n, R) output of `call`, detached.

    Examples:
        x -> x^2 has the Jacobian 2 x on the diagonal, which is its own transpose.

        >>> x = torch.tensor([[[[1.0, 3.0]]]])
        >>> jacobian = Jacobian(lambda x: x.flatten(1).square(), x)
        >>> jacobian.jvp(torch.ones_like(x)).tolist(), jacobian.vjp(torch.tensor([[1.0, 0.0]])).tolist()
        ([[2.0, 6.0]], [[[[2.0, 0.0]]]])
    """

    def __init__(self, call: Call, x: Tensor) -> None:
        with torch.inference_mode(False), torch.enable_grad(), differentiable_twice():
            self._x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
            # a copy, for a network may write to its input, which autograd forbids for a leaf
            self._y = call(self._x.clone())
            if self._y.ndim != 2 or len(self._y) != len(x):
                raise ValueError(f"{len(x)} images must give ({len(x)}, R) features, got {tuple(self._y.shape)}")
            if not self._y.requires_grad:
                raise ArgumentError(NO_GRADIENT)
            self._u = torch.zeros_like(self._y, requires_grad=True)
            (self._pulled,) = torch.autograd.grad(self._y, self._x, self._u, create_graph=True)
        self.value = self._y.detach()

    def jvp(self, v: Tensor) -> Tensor:
        """(n, R) J v of (n, C, H, W) directions v."""
        with torch.inference_mode(False), differentiable_twice():
            (product,) = torch.autograd.grad(self._pulled, self._u, v.clone(), retain_graph=True)
        return product

    def vjp(self, u: Tensor) -> Tensor:
        """(n, C, H, W) J'u of (n, R) cotangents u."""
        # checkpoints compute their part of the network again now, by the same kernels as before
        with torch.inference_mode(False), differentiable_twice():
            (product,) = torch.autograd.grad(self._y, self._x, u.clone(), retain_graph=True)
        return product


def jvp(call: Call, x: Tensor, v: Tensor, *, batch_size: int = 256) -> Tensor:
    """(n, T, R) products J(x) v of T directions at each image: the linearisation of `call`.

    Forward-mode differentiation passes the image itself once for all its directions, and keeps no graph. If a layer has no
    forward-mode rule, `Jacobian` is used instead, with a copy of the image for each direction.

    Args:
        call: (n, C, H, W) to (n, R), each row a function of its image alone.
        x: (n, C, H, W) images.
        v: (n, T, C, H, W) directions of any length.
        batch_size: largest number of directions in one pass.

    Raises:
        ValueError: the shapes do not fit, or the output of `call` is not (n, R) or has no gradient.

    Examples:
        >>> x, v = torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[[1.0, 0.0]]], [[[0.0, 1.0]]]]])
        >>> jvp(lambda x: x.flatten(1).square(), x, v).tolist()
        [[[2.0, 0.0], [0.0, 6.0]]]
    """
    if v.ndim != 5 or v.shape[::2] != (x.shape[0], *x.shape[1::2]) or v.shape[3] != x.shape[2] or batch_size < 1:
        raise ValueError(
            f"directions must be (n, T, C, H, W) for images {tuple(x.shape)}, got {tuple(v.shape)}; batch_size at least "
            f"1, got {batch_size}"
        )
    products = [
        torch.cat([_products_at(call, image, part) for part in directions.split(batch_size)])
        for image, directions in zip(x, v, strict=True)
    ]
    return torch.stack(products)


def _products_at(call: Call, image: Tensor, v: Tensor) -> Tensor:
    """(T, R) products of (T, C, H, W) directions at one (C, H, W) image."""
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
        warnings.filterwarnings("ignore", message=".*torch.jit.script.*")  # torch's forward-mode rules use it
        x, v = image[None].clone(), v.clone()
        try:
            products: Tensor = torch.func.vmap(lambda d: torch.func.jvp(call, (x,), (d[None],))[1][0])(v)
            return products
        except (RuntimeError, ValueError) as error:
            if out_of_memory(error):
                raise
    return Jacobian(call, image.expand(len(v), *image.shape)).jvp(v)


def spectral_norm(
    call: Call, x: Tensor, *, tol: float = 1e-3, max_iter: int = 100, batch_size: int = 64, seed: int = 0
) -> SingularValues:
    """The largest singular value of J(x) at each image: the limit of the local Lipschitz ratio for small perturbations.

    Args:
        call: (n, C, H, W) to (n, R), each row a function of its image alone.
        x: (n, C, H, W) images.
        tol: relative residual at which the iteration ends. It bounds the relative error, which is usually nearer to its
            square.
        max_iter: largest number of products with J and with J'.
        batch_size: largest number of images in one pass.
        seed: of the start vector, the same for all images, so that results do not depend on the batches.

    Raises:
        ValueError: as `Jacobian` and `largest_singular_value`.

    Examples:
        The Jacobian of x -> x^2 at (1, 3) has the singular values 2 and 6.

        >>> norm = spectral_norm(lambda x: x.flatten(1).square(), torch.tensor([[[[1.0, 3.0]]]]))
        >>> round(norm.value.item(), 4), norm.converged.tolist()
        (6.0, [True])
    """
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(math.prod(x.shape[1:]), generator=generator, dtype=torch.float64).to(x.device, x.dtype)
    parts: list[SingularValues] = []
    for images in x.split(batch_size):
        jacobian = Jacobian(call, images)

        def matvec(v: Tensor, jacobian: Jacobian = jacobian, images: Tensor = images) -> Tensor:
            return jacobian.jvp(v.view(images.shape))

        def rmatvec(u: Tensor, jacobian: Jacobian = jacobian) -> Tensor:
            return jacobian.vjp(u).flatten(1)

        start = direction.expand(len(images), -1)
        top = largest_singular_value(matvec, rmatvec, start, tol=tol, max_iter=max_iter)
        # a ReLU's derivative is finite where the features are not
        finite = torch.isfinite(jacobian.value).all(1).cpu()
        value, residual = (torch.where(finite, numbers, torch.nan) for numbers in (top.value, top.residual))
        parts.append(SingularValues(value, top.converged & finite, top.iterations, residual))
    return SingularValues(
        torch.cat([part.value for part in parts]),
        torch.cat([part.converged for part in parts]),
        max(part.iterations for part in parts),
        torch.cat([part.residual for part in parts]),
    )
