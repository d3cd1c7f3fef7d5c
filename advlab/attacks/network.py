"""A network as attacks see it: logits and gradients of batches of images, every one of them counted."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from advlab.attacks.logits import as_logits
from advlab.errors import ArgumentError

LogitsFunction = Callable[[Tensor], Tensor]


def memory_format(model: LogitsFunction) -> torch.memory_format:
    """The memory format of the model's convolutions, into which its input is brought."""
    if isinstance(model, nn.Module):
        for parameter in model.parameters():
            if parameter.ndim == 4 and not parameter.is_contiguous():
                return torch.channels_last
    return torch.contiguous_format


class CountedNetwork:
    """Logits and gradients of a model, in batches.

    Args:
        model: images (n, C, H, W) to logits (n, K).
        batch_size: images a forward, at most.

    Attributes:
        forwards, backwards: number of images that went through the model, and back through it, so far.
    """

    def __init__(self, model: LogitsFunction, batch_size: int) -> None:
        self.model, self.batch_size = model, batch_size
        self.forwards = self.backwards = 0
        self._format = memory_format(model)

    def logits(self, x: Tensor) -> Tensor:
        """(n, K) logits of one batch, with an autograd graph if the caller's mode records one.

        Raises:
            ArgumentError: the model gives something else than logits.
        """
        self.forwards += len(x)
        return as_logits(self.model(x.contiguous(memory_format=self._format)), len(x))

    def forward(self, x: Tensor) -> Tensor:
        """(n, K) logits without a graph; `x` (n, C, H, W), at least one image, may be longer than a batch."""
        with torch.inference_mode():
            if len(x) <= self.batch_size:
                return self.logits(x).clone()
            return torch.cat([self.logits(part) for part in x.split(self.batch_size)])

    def linearise(self, x: Tensor) -> Linearisation:
        """Logits and vector-Jacobian products at one batch of images, of at most `batch_size`."""
        return Linearisation(self, x)


class Linearisation:
    """Logits at some images and, from the same forward, as many vector-Jacobian products as are asked for.

    Attributes:
        logits: (n, K), detached.

    Raises:
        ArgumentError: the model's logits have no gradient with respect to the images.
    """

    def __init__(self, network: CountedNetwork, x: Tensor) -> None:
        self._network = network
        with torch.enable_grad():
            self._x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
            self._logits = network.logits(self._x)
        if not self._logits.requires_grad:
            raise ArgumentError(
                "the model's logits have no gradient with respect to the images: it must be differentiable, and call "
                "neither detach nor torch.no_grad"
            )
        self.logits = self._logits.detach()

    def vjp(self, cotangent: Tensor, *, last: bool = False) -> Tensor:
        """(n, C, H, W) gradients of sum_k cotangent[i, k] logits[i, k] with respect to image i.

        Args:
            cotangent: (n, K).
            last: no further product will be asked for; frees the graph.
        """
        self._network.backwards += len(self._x)
        (gradient,) = torch.autograd.grad(self._logits, self._x, cotangent, retain_graph=not last)
        return gradient
