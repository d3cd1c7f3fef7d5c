"""The mean Hessian of F_c - F_source over boundary points, as an operator on directions (jetley2018, algorithm 1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from advlab.attacks.network import memory_format
from advlab.geometry.hessian import image_gradient
from advlab.geometry.second_derivatives import differentiable_twice

EXACT = ": a finite step takes differences of gradients instead (experiment.hessian=finite)"


class MeanHessian:
    """H v, the mean over n points of the products of the Hessian of g = F_c - F_source with directions v of D values.

    Of a finite step h it is |v| times the mean of [grad g(p + h v/|v|) - grad g(p - h v/|v|)] / 2h, which sees the kinks of
    piecewise linear networks, whose exact Hessian is 0 almost everywhere, and is not linear in v. Products do not depend on the
    batch size but for rounding: gradients are summed in float64.

    Args:
        logits: (m, C, H, W) images to (m, K) logits, differentiable, each row a function of its image alone.
        points: (n, C, H, W), in whose precision and on whose device gradients are taken.
        target: c.
        sources: (n,) the class at the other side of each point's boundary.
        step: h, in units of the images, such as `authors_step` gives.
        hessian: finite, or autograd: exact products, by differentiating twice.
        batch_size: images in one forward and backward, at most.

    Attributes:
        size: D.
        gradients: passes back through the network so far, in images.

    Raises:
        ValueError: there is no point, the step is not above 0, or a source is the target.

    Examples:
        Of F_0 = x_0^2 - x_1^2 / 2 and F_1 = 0, whatever the step:

        >>> def logits(x):
        ...     first, second = x.flatten(1).unbind(1)
        ...     return torch.stack([first**2 - second**2 / 2, 0 * first], 1)
        >>> points, sources = torch.zeros(3, 1, 1, 2), torch.ones(3, dtype=torch.int64)
        >>> MeanHessian(logits, points, 0, sources, step=0.5, batch_size=8).products(torch.eye(2)).tolist()
        [[2.0, 0.0], [0.0, -1.0]]
    """

    def __init__(
        self,
        logits: Callable[[Tensor], Tensor],
        points: Tensor,
        target: int,
        sources: Tensor,
        *,
        step: float,
        hessian: Literal["finite", "autograd"] = "finite",
        batch_size: int,
    ) -> None:
        if not len(points) or len(points) != len(sources) or not step > 0 or bool((sources == target).any()):
            raise ValueError(
                f"points, as many sources other than the target and a step above 0 are needed, got {len(points)} points, "
                f"{len(sources)} sources, step {step}"
            )
        with torch.inference_mode(False):  # gradients are taken at copies that are no tensors of inference mode
            self._points, self._sources = points.detach().clone(), sources.to(points.device).clone()
        self._logits, self._target, self._step, self._hessian = logits, target, step, hessian
        self._batch_size, self._format = batch_size, memory_format(logits)
        self.size, self.gradients = math.prod(points.shape[1:]), 0

    def products(self, v: Tensor) -> Tensor:
        """(k, D) float64 H v of each of the directions (k, D); on the points' device (of MPS, which has no float64, the CPU)."""
        with torch.inference_mode(False):
            directions = self._double(v.detach().clone().to(self._points.device))
            norms = directions.norm(dim=1, keepdim=True)
            units = directions / norms.clamp_min(torch.finfo(torch.float64).tiny)
            sums = self._exact(units) if self._hessian == "autograd" else self._differences(units)
            return sums * (norms / len(self._points))

    def gradient_norm(self) -> float:
        """Mean over the points of |grad g|, against which |lambda| h says how far the boundary bends within a step."""
        norms: list[Tensor] = []
        with torch.inference_mode(False):
            for x, sources in zip(
                self._points.split(self._batch_size), self._sources.split(self._batch_size), strict=True
            ):
                gradients = image_gradient(self._value(sources), x.contiguous(memory_format=self._format), False)[1]
                norms.append(self._double(gradients.flatten(1)).norm(dim=1))
                self.gradients += len(x)
        return float(torch.cat(norms).mean())

    def _differences(self, units: Tensor) -> Tensor:
        """(k, D) sums over the points of the central differences along unit vectors (k, D)."""
        points, count = self._points, len(self._points)
        moves = self._images(units * self._step)
        signed = torch.arange(2 * count, device=points.device)  # each point ahead, then each behind
        parts = signed.tensor_split(math.ceil(2 * count / self._batch_size))
        sums = []
        for some in moves.split(max(1, self._batch_size // (2 * count))):  # as many directions as a batch holds
            total: Any = 0
            for part in parts:
                ahead = (part < count).to(points.dtype) * 2 - 1
                x = points[part % count] + ahead.view(-1, 1, 1, 1) * some[:, None]
                x = x.flatten(0, 1).contiguous(memory_format=self._format)
                value = self._value(self._sources[part % count].repeat(len(some)), ahead.repeat(len(some)))
                gradients = image_gradient(value, x, False)[1].reshape(len(some), len(part), self.size)
                self.gradients += len(x)
                total = total + self._double_sum(gradients, 1)
            sums.append(total / (2 * self._step))
        return torch.cat(sums)

    def _exact(self, units: Tensor) -> Tensor:
        """(k, D) sums over the points of the products of each one's Hessian with unit vectors (k, D)."""
        sums = torch.zeros_like(units)
        with differentiable_twice(EXACT):
            for points, sources in zip(
                self._points.split(self._batch_size), self._sources.split(self._batch_size), strict=True
            ):
                leaf, gradient = image_gradient(self._value(sources), points, True)
                self.gradients += len(points)
                for i, direction in enumerate(
                    self._images(units) if gradient.requires_grad else []
                ):  # else: it is linear
                    v = direction.expand_as(gradient)
                    (product,) = torch.autograd.grad(gradient, leaf, v, retain_graph=True, materialize_grads=True)
                    self.gradients += len(points)
                    sums[i] += self._double_sum(product.flatten(1), 0)
        return sums

    def _value(self, sources: Tensor, factor: Tensor | float = 1.0) -> Callable[[Tensor], Tensor]:
        """The function that is differentiated: images to (m,) factor * (F_c - F_source)."""

        def value(x: Tensor) -> Tensor:
            logits = self._logits(x)
            return factor * (logits[:, self._target] - logits.gather(1, sources[:, None])[:, 0])

        return value

    def _images(self, rows: Tensor) -> Tensor:
        return rows.to(self._points.dtype).to(self._points.device).view(-1, *self._points.shape[1:])

    def _double(self, values: Tensor) -> Tensor:
        return (values.cpu() if values.device.type == "mps" else values).double()

    def _double_sum(self, values: Tensor, dim: int) -> Tensor:
        return (values.cpu() if values.device.type == "mps" else values).sum(dim, dtype=torch.float64)


def authors_step(lowest: float, highest: float, size: int) -> float:
    """The authors' finite step, of images of `size` values whose mean-subtracted values lie between two numbers.

    It is .85 of MNIST in [0, 1]; the range of the images as they are would give .547.

    >>> round(authors_step(0.0, 1.0, 784), 3)
    0.547
    """
    return size**0.5 * (highest - lowest) / 512 * 10
