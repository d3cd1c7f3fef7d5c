"""Makes the base networks' adversarial images for table 1 of gunther2017: to be trained on, and to be shown to other networks."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from advlab.attacks import Attack
from advlab.data.images import eight_bit, unit_interval
from advlab.lab import Arrays, Cost, DataContext, Stage
from advlab.lab.trained_network import training_key
from advlab.models.classifier import Classifier, frozen
from advlab.models.forward import Execution, Forward
from advlab.training.first_images import first_images

from .fine_tuned_networks import TABLE_ATTACKS, fine_tuning
from .fine_tuned_networks_measure import base_network, base_recipe

if TYPE_CHECKING:
    from .adversarial_training import AdversarialTraining

IMAGES_AT_ONCE = 500
PIXELS_AT_ONCE = 2**24  # of the images that are attacked in one call


@dataclass
class Attacked:
    """Images and what an attack made of them; with all targets, each image once for each class but its own.

    Attributes:
        x: (n, C, H, W) in [0, 1].
        labels: (n,) classes.
        adv: (n, C, H, W) what the attack returned.
        success: (n,) bool.
        eligible: (n,) bool.
        saturated: (n,) bool: the label has p = 1 in float32.
        status: (n,) int64 of `Status`.
    """

    x: Tensor
    labels: Tensor
    adv: Tensor
    success: Tensor
    eligible: Tensor
    saturated: Tensor
    status: Tensor

    @classmethod
    def of_stage(cls, ctx: DataContext, stage: str, samples: list[int], attack: str) -> Attacked:
        """What a stage has made, of these samples."""
        x, labels, _ = with_targets(*ctx.images_and_labels(samples), len(ctx.data.classes), attack == "hc")
        arrays = {key: torch.as_tensor(value).to(x.device) for key, value in ctx.stage(stage).arrays.items()}
        return cls(x=x, labels=labels, **{**arrays, "adv": unit_interval(arrays["adv"])})


def with_targets(x: Tensor, labels: Tensor, classes: int, all_targets: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    """Images and labels, with a row and a target for each other class if there are to be targets."""
    if not all_targets:
        return x, labels, None
    others = torch.arange(classes, device=labels.device).expand(len(labels), classes)
    targets = others[others != labels[:, None]].view(len(labels), classes - 1)
    return (
        x.repeat_interleave(classes - 1, dim=0),
        labels.repeat_interleave(classes - 1),
        targets.flatten(),
    )


def images_at_once(shape: tuple[int, ...], classes: int, all_targets: bool) -> int:
    """How many images of (C, H, W) are attacked in one call, each towards one class or all others."""
    return max(1, PIXELS_AT_ONCE // (math.prod(shape) * (classes - 1 if all_targets else 1)))


def attacked_images(
    ctx: DataContext, forward: Forward, attack: Attack, x: Tensor, labels: Tensor, *, all_targets: bool
) -> Attacked:
    """An attack on (n, C, H, W) images in [0, 1], as many at a time as memory holds; counted and timed."""
    classes = len(ctx.data.classes)
    at_once = images_at_once(ctx.data.shape, classes, all_targets)
    parts: list[Attacked] = []
    for some, own in zip(x.split(at_once), labels.split(at_once), strict=True):
        images, truth, targets = with_targets(some, own, classes, all_targets)

        def run(batch: int, images: Tensor = images, truth: Tensor = truth, targets: Tensor | None = targets) -> Any:
            return attack(forward.attack_target, images, truth, targets=targets, bounds=(0.0, 1.0), batch_size=batch)

        result, seconds = forward.in_batches(run)
        ctx.count(forwards=result.forwards, backwards=result.backwards, images=len(images), seconds=seconds)
        found = (result.adv, result.success, result.eligible, result.saturated, result.status)
        parts.append(Attacked(images, truth, *found))
    return Attacked(*(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Attacked)))


def stages_of_seed(experiment: AdversarialTraining, ctx: DataContext, seed: int) -> list[Stage]:
    """A stage for each attack whose images are trained on, and one for each attack and arithmetic on the test images."""
    params, stages = experiment.params, []
    name, model = ctx.settings.nodes["model"]["name"], ctx.settings.model
    base: dict[str, Any] = {
        "version": 1,
        "base": training_key(name, model, base_recipe(params, ctx), ctx.load_split("train"), seed),
        "precision": ctx.settings.run.precision,
    }
    train, samples = (
        first_images(ctx.load_split("train"), params.train_images, seed),
        ctx.prepared["samples"][: params.images],
    )
    classes, attacks = len(ctx.data.classes), params.attacks()
    needed = {attack for network in params.networks for attack in fine_tuning(network).attacks}
    for name in [attack for attack in TABLE_ATTACKS if attack in needed]:
        attack = attacks[name, "" if name == "hc" else params.arithmetic]
        stages.append(
            Stage(
                f"train-{seed}-{name}",
                ctx.key(images=train, attack=attack, beyond=params.beyond, **base),
                partial(make_training_images, experiment, ctx, seed, name, attack),
                cost_of(attack, len(train) * (classes - 1 if name == "hc" else 1), classes),
                kind="adversarial_training_images",
            )
        )
    for (name, arithmetic), attack in attacks.items():
        if name in TABLE_ATTACKS:
            stages.append(
                Stage(
                    f"test-{seed}-{name}-{arithmetic}",
                    ctx.key(attack=attack, samples=samples, **base),
                    partial(make_test_images, experiment, ctx, seed, name, attack),
                    cost_of(attack, len(samples) * (classes - 1 if name == "hc" else 1), classes),
                    kind="adversarial_test_images",
                )
            )
    return stages


def cost_of(attack: Attack, images: int, classes: int) -> Cost:
    """Of one attack on so many images."""
    forwards, backwards = attack.estimated_cost(classes)
    return Cost(images * forwards, images * backwards)


def forward_of(ctx: DataContext, classifier: Classifier) -> Forward:
    """Forwards of a network that was trained here."""
    run = ctx.settings.run
    return Forward(classifier, Execution(run.batch_size or IMAGES_AT_ONCE, "contiguous", run.precision))


def make_training_images(
    experiment: AdversarialTraining, ctx: DataContext, seed: int, name: str, attack: Attack
) -> tuple[Arrays, dict[str, Any]]:
    """`adv` (n, C, H, W) uint8, the adversarial images that were found, and `index` (n,) of their originals."""
    params, train = experiment.params, first_images(ctx.load_split("train"), experiment.params.train_images, seed)
    forward = forward_of(ctx, base_network(params, ctx, seed))
    all_targets, copies = name == "hc", len(ctx.data.classes) - 1 if name == "hc" else 1
    advs, indices = [], []
    with frozen(forward.classifier):
        for index in torch.arange(len(train)).split(images_at_once(train.shape, copies + 1, all_targets)):
            x, labels = train.images(index).to(ctx.device), train.labels[index].to(ctx.device)
            attacked = attacked_images(ctx, forward, attack, x, labels, all_targets=all_targets)
            moved = attacked.x + params.beyond * (attacked.adv - attacked.x)
            advs.append(eight_bit(moved[attacked.success].clamp(0, 1)).cpu())
            indices.append(index.repeat_interleave(copies)[attacked.success.cpu()])
            ctx.report_progress(f"{name} images of seed {seed}", int(index[-1]) + 1, len(train))
    adv, found = torch.cat(advs), torch.cat(indices)
    return {"adv": adv.numpy(), "index": found.numpy()}, {"attempts": len(train) * copies, "found": len(found)}


def make_test_images(
    experiment: AdversarialTraining, ctx: DataContext, seed: int, name: str, attack: Attack
) -> tuple[Arrays, dict[str, Any]]:
    """The attack on the base network: `adv` uint8, `success`, `eligible`, `saturated` and `status`, a row an attacked image."""
    forward = forward_of(ctx, base_network(experiment.params, ctx, seed))
    x, labels = ctx.images_and_labels(ctx.prepared["samples"][: experiment.params.images])
    with frozen(forward.classifier):
        attacked = attacked_images(ctx, forward, attack, x, labels, all_targets=name == "hc")
    arrays = {key: getattr(attacked, key).cpu().numpy() for key in ("success", "eligible", "saturated", "status")}
    return {"adv": eight_bit(attacked.adv).cpu().numpy(), **arrays}, {"successes": int(attacked.success.sum())}
