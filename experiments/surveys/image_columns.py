"""What a survey says of each attacked image besides the attack's own result: rounding, similarity, the clean prediction."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from advlab.attacks import Attack
from advlab.attacks.grey_levels import in_grey_levels
from advlab.attacks.interface import judge_images
from advlab.attacks.results import AttackResult
from advlab.lab import NetworkContext
from advlab.metrics.pass_score import pass_score
from advlab.metrics.ssim import ssim


def classified_correctly(attack: Attack, result: AttackResult, labels: Tensor, true_classes: list[int]) -> list[float]:
    """Whether (1, 0) each clean image is classified as its true class; NaN where the attack does not look.

    Args:
        attack: what was called.
        result: of the attack on N images.
        labels: (N,) what it was given for labels: the predictions where it is one on the whole set.
        true_classes: of the images.
    """
    if not (attack.needs_correct or attack.set_level):
        return [math.nan] * len(true_classes)
    right = labels == torch.tensor(true_classes, device=labels.device)
    return (right & result.eligible).double().tolist()


def survives_rounding(ctx: NetworkContext, result: AttackResult, labels: Tensor, targets: Tensor) -> Tensor:
    """(N,) bool: successes that the attacked network still takes for what the attack is after when they are 8-bit images.

    Args:
        ctx: of the run.
        result: of the attack on N images.
        labels: (N,) classes to leave.
        targets: (N,) classes to reach; -1: any other.
    """
    survives = result.success.clone()
    index = result.success.nonzero()[:, 0]
    rounded = in_grey_levels(result.adv[index], (0.0, 1.0))
    changed = (rounded != result.adv[index]).flatten(1).any(1)  # what is in whole grey levels already is judged already
    index, rounded = index[changed], rounded[changed]
    if len(index):
        goals = targets[index] if bool((targets >= 0).all()) else None
        survives[index], forwards = judge_images(
            ctx.settings.attack, ctx.attack_target, rounded, labels[index], goals, batch_size=ctx.forward.limit
        )
        ctx.count(forwards=forwards)
    return survives


def similarities(x: Tensor, x_adv: Tensor, success: Tensor) -> dict[str, list[float]]:
    """PASS and SSIM of (N, C, H, W) images in [0, 1] with their adversarial images; NaN where there is no success (N,)."""
    likeness = {"pass_score": [math.nan] * len(x), "ssim": [math.nan] * len(x)}
    successes = success.nonzero()[:, 0]
    if len(successes):
        clean, adversarial = x[successes], x_adv[successes]
        scores = {"pass_score": pass_score(clean, adversarial), "ssim": ssim(clean, adversarial)}
        for key, values in scores.items():
            for i, value in zip(successes.tolist(), values.tolist(), strict=True):
                likeness[key][i] = value
    return likeness
