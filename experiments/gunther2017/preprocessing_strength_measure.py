"""Images behind preprocessing of several strengths, images beyond the smallest weight, and attacks through the defenses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from advlab.attacks import Attack
from advlab.attacks.grey_levels import BELOW_HALF, in_grey_levels
from advlab.attacks.interface import judge_images
from advlab.attacks.norms import norms_of_each
from advlab.attacks.status import Status
from advlab.config.components import NoComponent
from advlab.lab import Cell, NetworkContext
from advlab.models.forward import Forward

from .adversarial_stages import ADAPTIVE, CLEAN
from .adversarial_stages_measure import adversarial_images, predictions
from .integral_images import followed_by_integers
from .preprocessing_strength import PreprocessingStrength, StrengthRow
from .strength_settings import settings_of_sweeps

DIRECTION_STEP = 1 / 256  # below a grey level, so that no pixel of an 8-bit image is clipped on a part of the way
NO_DEFENSE = NoComponent()
LENGTHENED = (1.01, 1.02, 1.05, 1.1, 1.2, 1.5, 2.0)  # of a perturbation that new draws undo


def measure(experiment: PreprocessingStrength, ctx: NetworkContext, cell: Cell) -> list[StrengthRow]:
    """The rows of a sweep, of a defense beyond the smallest weight, or of some images attacked through a defense."""
    if cell.payload["sweep"] == ADAPTIVE:
        return adaptive_rows(experiment, ctx, cell)
    params, payload = experiment.params, cell.payload
    samples = ctx.order(params.samples)
    x, labels = ctx.images_and_labels(samples)
    if payload["images"] == CLEAN:
        chosen = list(range(len(samples)))
    else:
        chosen = ctx.stage(payload["stage"]).arrays["success"].nonzero()[0].tolist()
    rows = []
    for factor, images in shown_images(experiment, ctx, payload, x, labels):
        plain = predictions(ctx.forward, images)
        for sweep, name, strength, defense in shown_defenses(experiment, ctx, payload):
            whole = followed_by_integers(defense, params.integers)
            found = predictions(ctx.defended(whole), images)
            rows += [
                StrengthRow(
                    images=payload["images"], arithmetic=payload["arithmetic"], sweep=sweep, defense=name,
                    strength=strength, factor=factor, sample=samples[i], label=int(labels[i]), plain=plain[k],
                    prediction=found[k], l2=torch.nan,
                )
                for k, i in enumerate(chosen)
            ]  # fmt: skip
    return rows


def shown_defenses(
    experiment: PreprocessingStrength, ctx: NetworkContext, payload: dict[str, Any]
) -> Iterator[tuple[str, str, float, Any]]:
    """Sweep, name, strength and defense of each setting of a cell."""
    if payload["sweep"] == "beyond":
        listed = ctx.listed("defenses")
        yield "beyond", payload["defense"], 0.0, listed.get(payload["defense"], NO_DEFENSE)
        return
    for setting in settings_of_sweeps(experiment.params):
        if setting.sweep == payload["sweep"]:
            yield setting.sweep, setting.name, setting.strength, setting.defense


def shown_images(
    experiment: PreprocessingStrength, ctx: NetworkContext, payload: dict[str, Any], x: Tensor, labels: Tensor
) -> Iterator[tuple[float, Tensor]]:
    """Factor and images (n, C, H, W): the clean ones, or those that succeeded, in a sweep by the smallest weight alone."""
    if payload["images"] == CLEAN:
        yield 1.0, x
        return
    arrays = ctx.stage(payload["stage"]).arrays
    chosen = torch.as_tensor(arrays["success"].nonzero()[0], device=x.device)
    smallest = adversarial_images(ctx, payload["stage"])[chosen]
    if payload["sweep"] != "beyond":
        yield 1.0, smallest
        return
    attack = next(kind.attack for kind in experiment.kinds(ctx) if kind.id == payload["stage"])
    weight = torch.as_tensor(arrays["weight"], device=x.device)[chosen]
    eta = direction(ctx, attack, x[chosen], labels[chosen])
    for factor in experiment.params.factors:
        yield factor, smallest if factor == 1 else moved(attack, x[chosen], eta, factor * weight)


def direction(ctx: NetworkContext, attack: Attack, x: Tensor, labels: Tensor) -> Tensor:
    """(n, C, H, W) the direction eta of an attack along one gradient, 0 where clipping lets a pixel not move."""
    step = dataclasses.replace(attack, epsilon=DIRECTION_STEP, discrete=False)  # type: ignore[call-arg]
    return (ctx.attack(step, x, labels).adv - x) / DIRECTION_STEP


def moved(attack: Attack, x: Tensor, eta: Tensor, weight: Tensor) -> Tensor:
    """(n, C, H, W) images at weights (n,) of their directions, clipped, and in whole grey levels if the attack's are."""
    discrete = getattr(attack, "discrete", False)
    weight = (weight - BELOW_HALF if discrete else weight).to(x)[:, None, None, None]
    images = (x + weight * eta).clamp(0.0, 1.0)
    return in_grey_levels(images, (0.0, 1.0)) if discrete else images


def adaptive_rows(experiment: PreprocessingStrength, ctx: NetworkContext, cell: Cell) -> list[StrengthRow]:
    """A row for each image of the cell: the norm of the smallest perturbation that fools the network behind the defense."""
    payload = cell.payload
    samples = ctx.order(experiment.params.samples)[payload["first"] : payload["last"]]
    x, labels = ctx.images_and_labels(samples)
    defense = followed_by_integers(
        ctx.listed("defenses").get(payload["defense"], NO_DEFENSE), experiment.params.integers
    )
    forward = ctx.defended(defense)
    smallest = torch.full((len(x),), torch.inf, dtype=torch.float64, device=x.device)
    for listed in ctx.listed("adaptive").values():
        attack = dataclasses.replace(listed, draws=experiment.params.draws)
        smallest = torch.minimum(smallest, norms_through(ctx, attack, forward, x, labels))
    return [
        StrengthRow(
            images=ADAPTIVE, arithmetic="", sweep=ADAPTIVE, defense=payload["defense"], strength=0.0, factor=1.0,
            sample=sample, label=label, plain=-1, prediction=-1, l2=l2,
        )
        for sample, label, l2 in zip(samples, labels.tolist(), smallest.tolist(), strict=True)
    ]  # fmt: skip


def norms_through(ctx: NetworkContext, attack: Attack, forward: Forward, x: Tensor, labels: Tensor) -> Tensor:
    """(n,) float64 norms of what an attack finds behind a defense: inf where it finds nothing, NaN where x is not right there.

    A perturbation that ends at the boundary of its own draws, and that new draws undo, is lengthened until they do not.
    """
    result = ctx.attack(attack, x, labels, network=forward)
    delta = result.adv - x
    norms = torch.where(result.success, norms_of_each(delta, "l2").double(), torch.inf)
    for factor in LENGTHENED:
        lost = ((result.status == Status.LOST) & torch.isinf(norms)).nonzero()[:, 0]
        if not len(lost):
            break
        images = (x[lost] + factor * delta[lost]).clamp(0.0, 1.0)
        fooled, forwards = judge_images(
            attack, forward.attack_target, images, labels[lost], None, batch_size=forward.limit
        )
        ctx.count(forwards=forwards)
        norms[lost] = torch.where(fooled, norms_of_each(images - x[lost], "l2").double(), torch.inf)
    return torch.where(result.eligible, norms, torch.nan)
