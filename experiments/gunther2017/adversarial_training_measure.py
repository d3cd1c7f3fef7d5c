"""Fine-tunes networks on adversarial images of a base network, and attacks all of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.attacks.norms import norms_of_each
from advlab.attacks.status import Status
from advlab.lab import Cell, DataContext
from advlab.lab.trained_here import count_correct
from advlab.metrics.pass_score import pass_score
from advlab.models.classifier import frozen
from advlab.models.forward import Forward

from .adversarial_training import AdversarialTraining, AdversarialTrainingRow
from .fine_tuned_networks import BASE, TABLE_ATTACKS
from .fine_tuned_networks_measure import base_network, base_recipe, fine_tuned_network
from .training_images_measure import IMAGES_AT_ONCE, Attacked, attacked_images, forward_of, stages_of_seed

__all__ = ["measure", "stages"]


def stages(experiment: AdversarialTraining, ctx: DataContext) -> list[Any]:
    """The base networks' adversarial images, of the training set and of the test images."""
    return [stage for seed in experiment.seeds(ctx) for stage in stages_of_seed(experiment, ctx, seed)]


def measure(experiment: AdversarialTraining, ctx: DataContext, cell: Cell) -> list[AdversarialTrainingRow]:
    """The rows of one network: its accuracy, every attack on it, and the base network's adversarial images shown to it."""
    params, seed, name = experiment.params, cell.payload["seed"], cell.payload["network"]
    classifier = base_network(params, ctx, seed)
    if name == BASE:
        trained_on = len(ctx.load_split("train"))
        iterations = base_recipe(params, ctx).total_steps(trained_on)
    else:
        iterations = experiment.fine_tuning_steps(name)
        classifier, trained_on = fine_tuned_network(experiment, ctx, seed, name, classifier)
    rows = []
    with frozen(classifier):
        forward = forward_of(ctx, classifier)
        common: dict[str, Any] = {
            "seed": seed, "network": name, "test_images": len(ctx.prepared["samples"]),
            "test_correct": count_correct(ctx, forward, ctx.prepared["samples"]), "iterations": iterations,
            "trained_on": trained_on, "weights": classifier.digest()[:12],
        }  # fmt: skip
        for (attack, arithmetic), algorithm in params.attacks().items():
            of_table = attack in TABLE_ATTACKS
            samples = ctx.prepared["samples"][: params.images if of_table else params.strong_images]
            of_base = (
                Attacked.of_stage(ctx, f"test-{seed}-{attack}-{arithmetic}", samples, attack) if of_table else None
            )
            if of_base is not None and name == BASE:
                attacked = of_base
            else:
                x, labels = ctx.images_and_labels(samples)
                attacked = attacked_images(ctx, forward, algorithm, x, labels, all_targets=attack == "hc")
            pass_images = min(params.pass_images, len(samples)) if of_table else 0
            rows.append(
                AdversarialTrainingRow(
                    attack=attack, arithmetic=arithmetic, **outcome(attacked), **transferred(of_base, forward), **common,
                    **likeness(attacked, pass_images, copies=len(attacked.x) // len(samples)),
                )
            )  # fmt: skip
    ctx.count(forwards=forward.images)
    return rows


def outcome(attacked: Attacked) -> dict[str, Any]:
    """Columns of the successes, and of the failures by their cause."""
    failed = attacked.eligible & ~attacked.success
    causes = {
        "zero_gradient": attacked.status == Status.ZERO_GRADIENT,
        "no_flip_at_saturation": attacked.status == Status.NO_FLIP_AT_SATURATION,
    }
    counts = {name: int((failed & which).sum()) for name, which in causes.items()}
    norms = norms_of_each(attacked.adv - attacked.x, "l2").masked_fill(failed, math.inf)[attacked.eligible]
    return {
        "images": len(attacked.x), "eligible": int(attacked.eligible.sum()), "successes": int(attacked.success.sum()), **counts,
        "other_failures": int(failed.sum()) - sum(counts.values()),
        "saturated": int((attacked.saturated & attacked.eligible).sum()),
        "median_l2": float(np.median(norms.cpu().numpy())) if len(norms) else math.nan,
    }  # fmt: skip


def likeness(attacked: Attacked, count: int, copies: int) -> dict[str, Any]:
    """Columns of the mean PASS of the first `count` images, the successes among them; of several targets, of one an image in turn.

    So it is over the same images, and for HC over the same pairs, of each network.
    """
    images = torch.arange(count, device=attacked.x.device)
    index = images * copies + images % copies
    index = index[attacked.success[index]]
    if not len(index):
        return {"mean_pass": math.nan, "pass_images": 0}
    scores = pass_score(attacked.x[index], attacked.adv[index])
    return {"mean_pass": float(scores.double().mean()), "pass_images": len(index)}


def transferred(of_base: Attacked | None, forward: Forward) -> dict[str, Any]:
    """Columns of how many adversarial images of the base network fool a network that classifies their originals correctly."""
    if of_base is None or not bool(of_base.success.any()):
        return {"transferred_of": 0, "transferred": 0}
    index = of_base.success.nonzero()[:, 0]
    labels = of_base.labels[index]
    clean, fooled = (predictions(forward, images[index]) for images in (of_base.x, of_base.adv))
    correct = clean == labels
    return {"transferred_of": int(correct.sum()), "transferred": int((correct & (fooled != labels)).sum())}


def predictions(forward: Forward, images: Tensor) -> Tensor:
    """(n,) classes of (n, C, H, W) images."""
    return torch.cat([forward(part).argmax(1) for part in images.split(IMAGES_AT_ONCE)])
