"""Points that training adds to each batch: ascents from its images, or noise (barati2021, section IV-C)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from advlab.attacks.ascent.normalised_steps import ascend_normalised, unit
from advlab.metrics.objectives import cross_entropy, objective
from advlab.models.classifier import Classifier, frozen
from advlab.training.recipe import ADVERSARIES


class Adversary:
    """Moves the images of a batch as the last entry of a recipe's `augment` says.

    Args:
        classifier: the network that is trained, with its normalisation.
        name: hard, adversarial (`advlab.metrics.objectives`), pgd (the label's cross-entropy: Madry et al. 2018, in a ball
            that so many steps cannot leave), noise, or hard_noise (noise as far as the hard point of each image is away).
        values: steps and the length of one; of noise its length. L2 norms of images in [0, 1].

    Raises:
        ValueError: there is no such adversary.
    """

    def __init__(self, classifier: Classifier, name: str, values: tuple[float, ...]) -> None:
        if name not in ADVERSARIES:
            raise ValueError(f"an adversary must be one of {', '.join(ADVERSARIES)}, got {name!r}")
        self.classifier, self.name, self.values = classifier, name, values

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
            moved = ascend_normalised(lambda z: self.loss(z, labels), x, steps=steps, step=step)
        return noise(x, distances(x, moved), generator) if self.name == "hard_noise" else moved

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        """(N,) what is ascended."""
        if self.name == "pgd":
            return cross_entropy(self.classifier(x), labels)
        return objective(self.classifier, x, "adversarial" if self.name == "adversarial" else "hard")


def distances(x: Tensor, moved: Tensor) -> Tensor:
    """(N,) L2 norms of moved - x."""
    return torch.linalg.vector_norm((moved - x).flatten(1), dim=1)


def noise(x: Tensor, length: float | Tensor, generator: Generator) -> Tensor:
    """Images in [0, 1] moved by a random direction of L2 norm `length`, mirrored where it would leave the box.

    Clipping would shorten it by almost a third on images with a black background. No pixel moves by more than 1/2, so that
    one of the two sides is inside; where that binds the norm is smaller than `length`.

    Args:
        x: (N, C, H, W).
        length: of all images, or (N,) of each.
        generator: on the device of x.
    """
    lengths = torch.as_tensor(length, dtype=x.dtype, device=x.device).view(-1, 1, 1, 1)
    step = unit(torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)) * lengths
    step = step.clamp(-0.5, 0.5)
    outside = (x + step < 0) | (x + step > 1)
    return (x + torch.where(outside, -step, step)).clamp_(0, 1)
