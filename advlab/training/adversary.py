"""The points that adversarial training adds to each batch: ascents from its images, or noise (barati2021, section IV-C)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from advlab.attacks.ascent.normalised_steps import ascend_normalised, unit
from advlab.metrics.loss_gradient import error_log_odds
from advlab.models.classifier import Classifier, frozen
from advlab.training.linf_ascent import ascend_cross_entropy
from advlab.training.recipe_text import ADVERSARIES, REPLACING


class Adversary:
    """Moves the images of a batch as the last entry of a recipe's `augment` says.

    Args:
        classifier: the network that is trained, with its normalisation.
        name: what moves them. `hard` ascends the network's hard objective, `adversarial` its adversarial one
            (`advlab.metrics.objectives`), `pgd` the cross-entropy of the labels (Madry et al. 2018, in a ball that so many
            steps cannot leave); `noise` is a random direction, and `hard_noise` one as long as the way to the hard point of
            each image. `pgd_linf` ascends the cross-entropy in an L-infinity ball (`advlab.training.linf_ascent`), and its
            images take the place of the clean ones; those of `pgd_linf_and_clean` are added to them, as all others are.
        values: the number of steps and the length of each; for `noise` its length alone; for `pgd_linf` the radius of the
            ball, the length of a step and the number of steps. Lengths are norms of images in [0, 1].

    Raises:
        ValueError: there is no such adversary.
    """

    def __init__(self, classifier: Classifier, name: str, values: tuple[float, ...]) -> None:
        if name not in ADVERSARIES:
            raise ValueError(f"an adversary must be one of {', '.join(ADVERSARIES)}, got {name!r}")
        self.classifier, self.name, self.values = classifier, name, values

    def batch(self, x: Tensor, labels: Tensor, generator: Generator, strength: float) -> tuple[Tensor, Tensor]:
        """What a step is trained on: the moved images alone, or the images followed by them; and the labels of these.

        Args:
            x: (N, C, H, W) in [0, 1].
            labels: (N,) int64.
            generator: on the device of x.
            strength: see `__call__`.
        """
        moved = self(x, labels, generator, strength)
        return (moved, labels) if self.name in REPLACING else (torch.cat([x, moved]), torch.cat([labels, labels]))

    def __call__(self, x: Tensor, labels: Tensor, generator: Generator, strength: float = 1.0) -> Tensor:
        """The images (N, C, H, W), moved inside [0, 1] by the network as it is now; no gradient flows back through them.

        The network is in evaluation mode meanwhile: dropout would ascend another network's objective, and batch norms must
        not take their statistics from unfinished points.

        Args:
            x: (N, C, H, W) in [0, 1].
            labels: (N,) int64.
            generator: on the device of x.
            strength: share of its radius and of the steps' length that `pgd_linf` takes.

        Raises:
            ModelError: the network has no feature layer, which the hard objective needs.
        """
        if self.name == "noise":
            return add_noise(x, self.values[0], generator)
        if self.name in ("pgd_linf", "pgd_linf_and_clean"):
            epsilon, step, count = self.values
            with frozen(self.classifier):
                return ascend_cross_entropy(
                    self.classifier,
                    x,
                    labels,
                    generator,
                    epsilon=strength * epsilon,
                    step=strength * step,
                    steps=int(count),
                )
        steps, step_length = int(self.values[0]), self.values[1]
        with frozen(self.classifier):
            x_adv = ascend_normalised(lambda z: self.ascended_loss(z, labels), x, steps=steps, step=step_length)
        return add_noise(x, distances(x, x_adv), generator) if self.name == "hard_noise" else x_adv

    def ascended_loss(self, x: Tensor, labels: Tensor) -> Tensor:
        """(N,) log((1 - p) / p), which rises with the loss or the objective -log p of images: the points maximise it.

        p is the softmax probability of the label (`pgd`), or of the network's or the features' own largest output. The
        steps are normalised, so that both lead the same way; -log p alone underflows where p is almost 1.
        """
        if self.name == "pgd":
            return error_log_odds(self.classifier(x), labels)
        outputs = self.classifier(x) if self.name == "adversarial" else self.classifier.features(x)[1]
        return error_log_odds(outputs, outputs.detach().argmax(1))


def distances(x: Tensor, x_adv: Tensor) -> Tensor:
    """(N,) L2 norms of x_adv - x."""
    return torch.linalg.vector_norm((x_adv - x).flatten(1), dim=1)


def add_noise(x: Tensor, length: float | Tensor, generator: Generator) -> Tensor:
    """Move images by random directions of a given L2 norm, each component mirrored where it would leave [0, 1].

    Clipping would shorten the noise by almost a third on images with a black background. No component is longer than 1/2, so
    that on one of its two sides it stays inside; where that limit binds, the norm is smaller than `length`.

    Args:
        x: (N, C, H, W) in [0, 1].
        length: of all images, or (N,) one for each.
        generator: on the device of x.
    """
    lengths = torch.as_tensor(length, dtype=x.dtype, device=x.device).view(-1, 1, 1, 1)
    delta = unit(torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)) * lengths
    delta = delta.clamp(-0.5, 0.5)
    leaves_box = (x + delta < 0) | (x + delta > 1)
    return (x + torch.where(leaves_box, -delta, delta)).clamp_(0, 1)
