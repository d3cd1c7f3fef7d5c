"""The attacks on the networks of figure 5 of barati2021: the paper's one step, noise of its length, and PGD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from advlab.attacks import PGD
from advlab.attacks.ascent.normalised_steps import normalised_gradient, unit
from advlab.lab import DataContext
from advlab.metrics.loss_gradient import error_log_odds
from advlab.models.forward import Forward

from .hard_point_training import HardPointTraining

IMAGES_AT_ONCE = 500  # are loaded and attacked together; the noise of each such part is drawn by a seed of its own


class Trial(NamedTuple):
    """A network under one kind of perturbation, of one length."""

    victim: str  # the network that classifies
    attack: str
    epsilon: float  # L2 norm, of images in [0, 1]


@dataclass
class Tally:
    """What a trial has shown so far."""

    images: int = 0
    correct: int = 0  # classified as their label
    norm_sum: float = 0.0  # of the L2 norms of the perturbations

    def add(self, forward: Forward, x: Tensor, x_adv: Tensor, labels: Tensor) -> None:
        """Let a network classify perturbed images (N, C, H, W)."""
        with torch.no_grad():
            self.correct += int((forward(x_adv).argmax(1) == labels).sum())
        self.images += len(x)
        self.norm_sum += float((x_adv - x).flatten(1).norm(dim=1).sum())


Tallies = dict[Trial, Tally]


def attack_by_one_step(
    params: HardPointTraining.Params, ctx: DataContext, source: str, networks: dict[str, Forward], tallies: Tallies
) -> None:
    """x + epsilon grad / ||grad|| by the source's gradients on every network, and noise of that length on the source.

    Args:
        params: of the experiment.
        ctx: of the run.
        source: the network whose gradients are taken.
        networks: the victims, the source among them.
        tallies: the results are added to them.
    """
    samples = ctx.prepared["samples"]
    for start in range(0, len(samples), IMAGES_AT_ONCE):
        x, labels = ctx.images_and_labels(samples[start : start + IMAGES_AT_ONCE])
        gradients = normalised_loss_gradients(ctx, networks[source], x, labels)
        generator = torch.Generator().manual_seed((ctx.settings.run.seed + start * 1_000_003) % 2**63)
        noise = unit(torch.randn(x.shape, generator=generator).to(x.device))
        for epsilon in params.epsilons:
            for attack, direction in (("one_step", gradients), ("noise", noise)):
                x_adv = x + epsilon * direction
                x_adv = x_adv.clamp_(0, 1) if params.clip else x_adv
                for victim in networks if attack == "one_step" else [source]:
                    tally = tallies.setdefault(Trial(victim, attack, epsilon), Tally())
                    tally.add(networks[victim], x, x_adv, labels)


def attack_inside_pixel_range(
    params: HardPointTraining.Params, ctx: DataContext, source: str, forward: Forward, tallies: Tallies
) -> None:
    """PGD on the first images, and the one step clipped to [0, 1] on the same; both by and on the source alone.

    Args:
        params: of the experiment.
        ctx: of the run.
        source: the attacked network.
        forward: makes its forwards.
        tallies: the results are added to them.
    """
    x, labels = ctx.images_and_labels(ctx.prepared["samples"][: params.pgd_images])
    if not len(x):
        return
    gradients = normalised_loss_gradients(ctx, forward, x, labels)
    for epsilon in params.epsilons:
        attack = PGD(norm="l2", epsilon=epsilon, steps=params.pgd_steps, step=2.5 / params.pgd_steps)
        result = attack(forward.attack_target, x, labels, batch_size=forward.limit)
        ctx.count(forwards=result.forwards, backwards=result.backwards, images=len(x))
        tallies.setdefault(Trial(source, "pgd", epsilon), Tally()).add(forward, x, result.adv, labels)
        x_adv = (x + epsilon * gradients).clamp_(0, 1)
        tallies.setdefault(Trial(source, "one_step_clipped", epsilon), Tally()).add(forward, x, x_adv, labels)


def normalised_loss_gradients(ctx: DataContext, forward: Forward, x: Tensor, labels: Tensor) -> Tensor:
    """(N, C, H, W) gradients of the labels' cross-entropy, each of L2 norm 1, in the run's batches; counted."""
    ctx.count(forwards=len(x), backwards=len(x))
    batches = zip(x.split(forward.limit), labels.split(forward.limit), strict=True)
    return torch.cat([_normalised_loss_gradient(forward, *batch) for batch in batches])


def _normalised_loss_gradient(forward: Forward, x: Tensor, labels: Tensor) -> Tensor:
    return normalised_gradient(lambda z: error_log_odds(forward.classifier_logits(z), labels), x)
