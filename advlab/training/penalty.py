"""Penalties on the derivatives of the loss with respect to the image, added to the loss of a batch (double backpropagation)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from advlab.training.recipe_text import parse_penalty


class Penalty:
    """What a recipe's `penalty` adds to the mean loss of a batch.

    `gradient`: strength times the mean of ||g||^2, g the gradient of an image's cross-entropy (Drucker and LeCun 1992; Ross and
    Doshi-Velez 2018). `hessian`: strength times an estimate of the mean of ||H||_F^2, its Hessian: of E ||Hz||^2 over normal z,
    by the difference of the gradients at the image and at a given length from it in one random direction (in the manner of
    Moosavi-Dezfooli et al. 2019), since networks of ReLU have no curvature but that of the softmax where they are differentiated.

    Args:
        texts: "gradient:strength" and "hessian:strength,length", each at most once. Derivatives and lengths are those of images
            in [0, 1].
    """

    def __init__(self, texts: list[str]) -> None:
        self.terms = dict(parse_penalty(text) for text in texts)

    def __call__(self, network: nn.Module, x: Tensor, labels: Tensor, std: Tensor, generator: Generator) -> Tensor:
        """The penalty of a batch, differentiable with respect to the network's weights.

        The network is in evaluation mode meanwhile: two draws of dropout would differ by more than the Hessian, and batch norms
        must not take their statistics from moved images.

        Args:
            network: takes normalised images.
            x: (N, C, H, W) normalised images; no gradient flows back through them.
            labels: (N,) classes.
            std: by which images were divided; broadcasts to (C, H, W).
            generator: of the directions, on the device of `x`.
        """
        with evaluating(network):
            gradient = loss_gradient(network, x, labels) / std
            total = gradient.new_zeros(())
            if "gradient" in self.terms:
                (strength,) = self.terms["gradient"]
                total = total + strength * gradient.square().flatten(1).sum(1).mean()
            if "hessian" in self.terms:
                strength, length = self.terms["hessian"]
                z = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
                norms = torch.linalg.vector_norm(z.flatten(1), dim=1).view(-1, 1, 1, 1)
                ahead = loss_gradient(network, x + z * (length / norms) / std, labels) / std
                products = (ahead - gradient) * (norms / length)  # H z
                total = total + strength * products.square().flatten(1).sum(1).mean()
        return total


def loss_gradient(network: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """(N, C, H, W) gradients of each image's cross-entropy with respect to x, with their own graph."""
    leaf = x.detach().clone().requires_grad_()
    # a copy, for a network may write to its input
    loss = F.cross_entropy(network(leaf.clone()), labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, leaf, create_graph=True)
    return gradient


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode while the block runs; the mode of every module is restored after it."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
