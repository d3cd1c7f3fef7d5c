"""Points that training adds to each batch: ascents from its images, or noise (barati2021, section IV-C)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from advlab.attacks.ascent import ascend, unit
from advlab.metrics.objectives import cross_entropy, objective
from advlab.models.classifier import Classifier, frozen
from advlab.training.recipe import ADVERSARIES


class Adversary:
    """Moves the images of a batch as the last entry of a recipe's `augment` says.

    Args:
        network: takes normalised images; it is on the CPU.
        name: hard, adversarial (`advlab.metrics.objectives`), pgd (the label's cross-entropy: Madry et al. 2018, in a ball
            that so many steps cannot leave) or noise.
        values: steps and the length of one; of noise its length. L2 norms of images in [0, 1].
        shape: (C, H, W) of the images.
        mean: of the input normalisation.
        std: likewise.

    Raises:
        ValueError: there is no such adversary.
        ModelError: the network does not take such images.
    """

    def __init__(
        self,
        network: nn.Module,
        name: str,
        values: tuple[float, ...],
        *,
        shape: tuple[int, int, int],
        mean: Tensor,
        std: Tensor,
    ) -> None:
        if name not in ADVERSARIES:
            raise ValueError(f"an adversary must be one of {', '.join(ADVERSARIES)}, got {name!r}")
        self.name, self.values = name, values
        self.classifier = Classifier(network, name="the network", shape=shape, mean=mean.cpu(), std=std.cpu())

    def __call__(self, x: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        """(N, C, H, W) moved images in [0, 1], detached; the weights of this step decide, and get no gradients.

        The network is in evaluation mode meanwhile: dropout would ascend another network's objective, and batch norms must
        not take their statistics from unfinished points.

        Raises:
            ModelError: the network has no feature layer, which the hard objective needs.
        """
        if self.name == "noise":
            return noise(x, self.values[0], generator)
        steps, step = int(self.values[0]), self.values[1]
        with frozen(self.classifier):
            return ascend(lambda moved: self.loss(moved, labels), x, steps=steps, step=step)

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        """(N,) what is ascended."""
        if self.name == "pgd":
            return cross_entropy(self.classifier(x), labels)
        return objective(self.classifier, x, "hard" if self.name == "hard" else "adversarial")


def noise(x: Tensor, length: float, generator: Generator) -> Tensor:
    """Images in [0, 1] moved by a random direction of L2 norm `length`, mirrored where it would leave the box.

    Clipping would shorten it by almost a third on images with a black background. No pixel moves by more than 1/2, so that
    one of the two sides is inside; where that binds the norm is smaller than `length`.
    """
    step = unit(torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)) * length
    step = step.clamp(-0.5, 0.5)
    outside = (x + step < 0) | (x + step > 1)
    return (x + torch.where(outside, -step, step)).clamp_(0, 1)
