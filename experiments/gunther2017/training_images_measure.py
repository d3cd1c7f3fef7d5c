"""Makes the base networks' adversarial images for table 1 of gunther2017: to be trained on, and to be shown to other networks."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from advlab.attacks import Attack
from advlab.lab import Arrays, Cost, DataContext, Stage
from advlab.lab.trained_network import training_key
from advlab.models.classifier import frozen
from advlab.models.forward import Execution, Forward

from .fine_tuned_networks import NETWORKS, TABLE_ATTACKS
from .fine_tuned_networks_measure import base_network, base_recipe, grey, training_images

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
        return cls(x=x, labels=labels, **{**arrays, "adv": arrays["adv"].to(x) / 255})


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


def attacked_images(
    ctx: DataContext, forward: Forward, attack: Attack, samples: list[int], *, all_targets: bool
) -> Attacked:
    """An attack on samples of the measured split; counted and timed."""
    x, labels = ctx.images_and_labels(samples)
    return attacked_tensors(ctx, forward, attack, x, labels, all_targets=all_targets)


def attacked_tensors(
    ctx: DataContext, forward: Forward, attack: Attack, x: Tensor, labels: Tensor, *, all_targets: bool
) -> Attacked:
    """An attack on (n, C, H, W) images in [0, 1], as many at a time as memory holds."""
    classes = len(ctx.data.classes)
    at_once = max(1, PIXELS_AT_ONCE // (x[0].numel() * (classes - 1 if all_targets else 1)))
    parts: list[Attacked] = []
    for some, own in zip(x.split(at_once), labels.split(at_once), strict=True):
        images, truth, targets = with_targets(some, own, classes, all_targets)

        def run(batch: int, images: Tensor = images, truth: Tensor = truth, targets: Tensor | None = targets) -> Any:
            return attack(forward.attack_target, images, truth, targets=targets, bounds=(0.0, 1.0), batch_size=batch)

        result, seconds = forward.in_batches(run)
        ctx.count(forwards=result.forwards, backwards=result.backwards, images=len(images), seconds=seconds)
        found = (result.adv, result.success, result.eligible, result.saturated, result.status)
        parts.append(Attacked(images, truth, *found))
    columns = {field.name: torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Attacked)}
    return Attacked(**columns)


def stages_of_seed(experiment: AdversarialTraining, ctx: DataContext, seed: int) -> list[Stage]:
    """A stage for each attack whose images are trained on, and one for each attack and arithmetic on the test images."""
    params, stages = experiment.params, []
    train = training_images(params.train_images, ctx, seed)
    model, nodes = ctx.settings.model, ctx.settings.nodes
    base = training_key(nodes["model"]["name"], model, base_recipe(params, ctx), train, seed)
    classes = len(ctx.data.classes)
    attacks = params.attacks()
    wanted = {NETWORKS[name].attack for name in params.networks} - {""}
    for name in [attack for attack in TABLE_ATTACKS if attack in wanted]:
        attack = attacks[name, "" if name == "hc" else params.arithmetic]
        images = len(train) * (classes - 1 if name == "hc" else 1)
        stages.append(
            Stage(
                f"train-{seed}-{name}",
                ctx.key(images=train, version=1, base=base, attack=attack, beyond=params.beyond),
                partial(make_training_images, experiment, ctx, seed, name, attack),
                cost_of(attack, images, classes),
                kind="adversarial_training_images",
            )
        )
    samples = ctx.prepared["samples"][: params.images]
    for (name, arithmetic), attack in attacks.items():
        if name in TABLE_ATTACKS:
            images = len(samples) * (classes - 1 if name == "hc" else 1)
            stages.append(
                Stage(
                    f"test-{seed}-{name}-{arithmetic}",
                    ctx.key(version=1, base=base, attack=attack, samples=samples),
                    partial(make_test_images, experiment, ctx, seed, name, attack),
                    cost_of(attack, images, classes),
                    kind="adversarial_test_images",
                )
            )
    return stages


def cost_of(attack: Attack, images: int, classes: int) -> Cost:
    """Of one attack on so many images."""
    forwards, backwards = attack.estimated_cost(classes)
    return Cost(images * forwards, images * backwards)


def base_forward(experiment: AdversarialTraining, ctx: DataContext, seed: int) -> Forward:
    """Forwards of the base network of a seed."""
    run = ctx.settings.run
    execution = Execution(run.batch_size or IMAGES_AT_ONCE, "contiguous", run.precision)
    return Forward(base_network(experiment.params, ctx, seed), execution)


def make_training_images(
    experiment: AdversarialTraining, ctx: DataContext, seed: int, name: str, attack: Attack
) -> tuple[Arrays, dict[str, Any]]:
    """`adv` (n, C, H, W) uint8, the adversarial images that were found, and `index` (n,) of their originals."""
    params, train = experiment.params, training_images(experiment.params.train_images, ctx, seed)
    forward = base_forward(experiment, ctx, seed)
    classes, all_targets = len(ctx.data.classes), name == "hc"
    size, advs, indices = max(1, PIXELS_AT_ONCE // math.prod(train.shape)), [], []
    with frozen(forward.classifier):
        for start in range(0, len(train), size):
            index = torch.arange(start, min(start + size, len(train)))
            x, labels = train.images(index).to(ctx.device), train.labels[index].to(ctx.device)
            attacked = attacked_tensors(ctx, forward, attack, x, labels, all_targets=all_targets)
            originals = index.repeat_interleave(classes - 1) if all_targets else index
            success = attacked.success
            moved = attacked.x + params.beyond * (attacked.adv - attacked.x)
            advs.append(grey(moved[success].clamp(0, 1)).cpu())
            indices.append(originals[success.cpu()])
            ctx.report_progress(f"{name} images of seed {seed}", min(start + size, len(train)), len(train))
    ctx.count(forwards=forward.images)
    adv, found = torch.cat(advs), torch.cat(indices)
    attempts = len(train) * (classes - 1 if all_targets else 1)
    return {"adv": adv.numpy(), "index": found.numpy()}, {"attempts": attempts, "found": len(found)}


def make_test_images(
    experiment: AdversarialTraining, ctx: DataContext, seed: int, name: str, attack: Attack
) -> tuple[Arrays, dict[str, Any]]:
    """The attack on the base network: `adv` uint8, `success`, `eligible`, `saturated` and `status`, a row an attacked image."""
    forward = base_forward(experiment, ctx, seed)
    samples = ctx.prepared["samples"][: experiment.params.images]
    with frozen(forward.classifier):
        attacked = attacked_images(ctx, forward, attack, samples, all_targets=name == "hc")
    arrays = {key: getattr(attacked, key).cpu().numpy() for key in ("success", "eligible", "saturated", "status")}
    return {"adv": grey(attacked.adv).cpu().numpy(), **arrays}, {"successes": int(attacked.success.sum())}
