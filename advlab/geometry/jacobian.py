"""The Jacobian of a layer's features with respect to the image: products with it, and its largest singular value."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from advlab.geometry.singular import Singular, largest_singular_value
from advlab.models.forward import out_of_memory

Call = Callable[[Tensor], Tensor]  # (n, C, H, W) to (n, R), each row a function of its image alone


class Jacobian:
    """J(x) = d call / d x for each image of a batch: one forward, then as many products as are asked for.

    J'u is a backward pass. It is linear in u, so that its derivative with respect to u in the direction v is J v: a
    backward pass through the backward pass, which needs no forward-mode rule of any layer. Gradients of parameters are
    not touched. Works under inference_mode too.

    Args:
        call: (n, C, H, W) to (n, R), each row a function of its image alone. The features of a layer:
            `lambda x: classifier.features(x, layer)[1]`, with the classifier `frozen`.
        x: (n, C, H, W).

    Raises:
        ValueError: what `call` gives is no (n, R), or has no gradient.

    Attributes:
        value: (n, R), detached.
    """

    def __init__(self, call: Call, x: Tensor) -> None:
        with torch.inference_mode(False), torch.enable_grad():
            self._x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
            self._y = call(self._x.clone())  # a network may write to its input, which a leaf does not allow
            if self._y.ndim != 2 or len(self._y) != len(x):
                raise ValueError(f"{len(x)} images must give ({len(x)}, R) features, got {tuple(self._y.shape)}")
            if not self._y.requires_grad:
                raise ValueError("the features have no gradient with respect to the images")
            self._u = torch.zeros_like(self._y, requires_grad=True)
            (self._pulled,) = torch.autograd.grad(self._y, self._x, self._u, create_graph=True)
        self.value = self._y.detach()

    def jvp(self, v: Tensor) -> Tensor:
        """(n, R) J v of (n, C, H, W) directions."""
        with torch.inference_mode(False):
            (product,) = torch.autograd.grad(self._pulled, self._u, v.clone(), retain_graph=True)
        return product

    def vjp(self, u: Tensor) -> Tensor:
        """(n, C, H, W) J'u of (n, R) cotangents."""
        with torch.inference_mode(False):
            (product,) = torch.autograd.grad(self._y, self._x, u.clone(), retain_graph=True)
        return product


def jvp(call: Call, x: Tensor, v: Tensor, *, batch_size: int = 256) -> Tensor:
    """(n, T, R) J(x) v of T directions at each image: the network's own linearisation.

    In forward mode, with the image itself passed once for all its directions; no graph is kept. A layer that has no rule
    for it is differentiated twice instead, with a copy of the image for each direction.

    Args:
        call: (n, C, H, W) to (n, R), each row a function of its image alone.
        x: (n, C, H, W) images.
        v: (n, T, C, H, W) directions of any length.
        batch_size: directions at a time, at most.

    Raises:
        ValueError: the shapes do not fit, or `call` is no function to (n, R) with a gradient.
    """
    if v.ndim != 5 or v.shape[::2] != (x.shape[0], *x.shape[1::2]) or v.shape[3] != x.shape[2] or batch_size < 1:
        raise ValueError(
            f"directions must be (n, T, C, H, W) for images {tuple(x.shape)}, got {tuple(v.shape)}; batch_size at least "
            f"1, got {batch_size}"
        )
    pushed = [torch.cat([_push(call, at, part) for part in w.split(batch_size)]) for at, w in zip(x, v, strict=True)]
    return torch.stack(pushed)


def _push(call: Call, at: Tensor, v: Tensor) -> Tensor:
    """(T, R) products of (T, C, H, W) directions at one (C, H, W) image."""
    with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit.script.*")  # torch's own rules are scripted
        x, v = at[None].clone(), v.clone()
        try:
            products: Tensor = torch.func.vmap(lambda d: torch.func.jvp(call, (x,), (d[None],))[1][0])(v)
            return products
        except (RuntimeError, ValueError) as error:
            if out_of_memory(error):
                raise
    return Jacobian(call, at.expand(len(v), *at.shape)).jvp(v)


def spectral_norm(
    call: Call, x: Tensor, *, tol: float = 1e-3, max_iter: int = 100, batch_size: int = 64, seed: int = 0
) -> Singular:
    """The largest singular value of J(x) at each image: the limit of the local Lipschitz ratio for small perturbations.

    Args:
        call: (n, C, H, W) to (n, R), each row a function of its image alone.
        x: (n, C, H, W) images.
        tol: relative residual, which bounds the relative error; the error itself is mostly nearer to its square.
        max_iter: products with J and J' at most.
        batch_size: images at a time, at most.
        seed: of the start, which is one direction for all images, so that batches do not matter.

    Raises:
        ValueError: as `Jacobian` and `largest_singular_value` do.
    """
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(math.prod(x.shape[1:]), generator=generator, dtype=torch.float64).to(x.device, x.dtype)
    found: list[Singular] = []
    for part in x.split(batch_size):
        jacobian = Jacobian(call, part)

        def matvec(v: Tensor, jacobian: Jacobian = jacobian, part: Tensor = part) -> Tensor:
            return jacobian.jvp(v.view(part.shape))

        def rmatvec(u: Tensor, jacobian: Jacobian = jacobian) -> Tensor:
            return jacobian.vjp(u).flatten(1)

        start = direction.expand(len(part), -1)
        top = largest_singular_value(matvec, rmatvec, start, tol=tol, max_iter=max_iter)
        good = torch.isfinite(jacobian.value).all(1).cpu()  # where features are not, a ReLU's derivative still is
        value, residual = (torch.where(good, numbers, torch.nan) for numbers in (top.value, top.residual))
        found.append(Singular(value, top.converged & good, top.iterations, residual))
    return Singular(
        torch.cat([f.value for f in found]),
        torch.cat([f.converged for f in found]),
        max(f.iterations for f in found),
        torch.cat([f.residual for f in found]),
    )
