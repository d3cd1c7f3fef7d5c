"""Makes activations of the training images, the softmax threshold and fooling images, and reads fitted open set models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from advlab.attacks import Fooling
from advlab.attacks.ascent.fooling.algorithm import fooling_levels, random_starts
from advlab.attacks.logits import margin
from advlab.data.exact_division import divisor
from advlab.defenses import OpenMax
from advlab.lab import Arrays, NetworkContext
from advlab.open_set.mean_activations import distances_to_means, mean_activations
from advlab.open_set.openmax import OpenSetModel, own_tails
from advlab.open_set.softmax_threshold import threshold_at_accuracy

from .open_set_stages import activations_id
from .open_set_variants import LOGITS

IMAGES_AT_ONCE = 1000


def features_of(ctx: NetworkContext, x: Tensor, layers: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
    """(n, C) logits of (n, C, H, W) images, and the (n, R) features of each layer by its name."""
    watched = [layer for layer in layers if layer != LOGITS]
    logits, features = ctx.features(x, watched, option="experiment.layer")
    return logits, {LOGITS: logits, **dict(zip(watched, features, strict=True))}


def activations(ctx: NetworkContext, layer: str, distances: list[str]) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and facts of a stage, see `activation_stages`."""
    train = ctx.split("train")
    parts = []
    for indices in torch.arange(len(train)).split(IMAGES_AT_ONCE):
        logits, features = features_of(ctx, train.images(indices).to(ctx.device), [layer])
        parts.append((logits.cpu(), features[layer].cpu()))
        ctx.report_progress(f"activations of {layer}", int(indices[-1]) + 1, len(train))
    scores, features_of_all = (torch.cat(column) for column in zip(*parts, strict=True))
    labels, predictions = train.labels.cpu(), scores.argmax(1)
    means = mean_activations(features_of_all, labels, predictions, classes=scores.shape[1])
    arrays = {"means": means, "labels": labels, "predictions": predictions}
    for distance in distances:
        to_all = [distances_to_means(part.double(), means, distance) for part in features_of_all.split(IMAGES_AT_ONCE)]  # type: ignore[arg-type]
        arrays[distance] = torch.cat(to_all).gather(1, labels[:, None])[:, 0]
    return {name: array.numpy() for name, array in arrays.items()}, {"correct": int((labels == predictions).sum())}


def fitted_model(ctx: NetworkContext, defense: OpenMax) -> OpenSetModel:
    """The open set model of a defense, from the activations that its stage holds; on the run's device."""
    arrays = ctx.stage(activations_id(defense.layer)).arrays
    own, labels, predictions = (torch.as_tensor(arrays[name]) for name in (defense.distance, "labels", "predictions"))
    classes = len(arrays["means"])
    tails = own_tails(own, labels, predictions, classes, defense.tail_size, defense.translation, defense.tail_of)
    placed = tails._replace(
        smallest=tails.smallest.float().to(ctx.device), shape=tails.shape.float().to(ctx.device),
        log_ratio=tails.log_ratio.float().to(ctx.device),
    )  # fmt: skip
    return OpenSetModel(torch.as_tensor(arrays["means"]).float().to(ctx.device), placed, defense.distance)


def threshold(ctx: NetworkContext, defense: OpenMax, samples: list[int]) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and facts of a stage, see `threshold_stage`."""
    model = fitted_model(ctx, defense)
    scores, revised = [], []
    for start in range(0, len(samples), IMAGES_AT_ONCE):
        x, _ = ctx.images_and_labels(samples[start : start + IMAGES_AT_ONCE])
        logits, features = features_of(ctx, x, [defense.layer])
        scores.append(logits)
        revised.append(defense.revision()(logits, model.exceeded(features[defense.layer])).argmax(1))
    logits, predictions = torch.cat(scores), torch.cat(revised)
    labels = ctx.data.labels[torch.tensor(samples).to(ctx.data.labels.device)].to(logits.device)
    accuracy = [float((found == labels).double().mean()) for found in (logits.argmax(1), predictions)]
    value = threshold_at_accuracy(logits.cpu(), labels.cpu(), accuracy[1])
    arrays = {"threshold": torch.tensor([value]).double(), "accuracy": torch.tensor(accuracy).double()}
    return {name: array.numpy() for name, array in arrays.items()}, {}


def fooling_images(
    ctx: NetworkContext,
    attack: Fooling,
    seed: int,
    *,
    classes: list[int],
    starts: int,
    levels: list[float],
    one_start_for_all: bool,
) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and facts of a stage, see `fooling_stage`."""
    own = 1 if one_start_for_all else len(classes)
    images = random_starts(own * starts, ctx.data.shape, seed).to(ctx.device)
    target = torch.tensor(classes, device=ctx.device).repeat_interleave(starts)
    start = torch.arange(len(target), device=ctx.device) % len(images)
    p = ctx.forward(images).double().softmax(1)
    at_start = p[start].gather(1, target[:, None])[:, 0]
    below = (at_start < levels[0]).nonzero()[:, 0]
    results = ctx.in_batches(
        lambda batch_size: fooling_levels(
            attack, ctx.attack_target, images[start[below]], target[below], levels=levels, batch_size=batch_size
        ),
        images=len(below),
    )
    highest = results[levels[-1]]
    ctx.count(forwards=highest.forwards, backwards=highest.backwards)
    shape = (len(levels), len(target))
    adv = images[start].expand(len(levels), *images[start].shape).clone()
    success = torch.zeros(shape, dtype=torch.bool, device=ctx.device)
    steps = torch.zeros(shape, dtype=torch.int64, device=ctx.device)
    probability = at_start.expand(shape).clone()
    for k, level in enumerate(levels):
        result = results[level]
        adv[k, below], success[k, below], steps[k, below] = result.adv, result.success, result.steps
        reached = ctx.forward(result.adv).double().softmax(1)
        probability[k, below] = reached.gather(1, target[below, None])[:, 0]
    arrays = {
        "starts": (images * 255).round().byte(), "start": start, "target": target, "adv": adv, "success": success,
        "start_class": p.argmax(1)[start], "start_probability": at_start, "steps": steps, "probability": probability,
    }  # fmt: skip
    return {name: array.cpu().numpy() for name, array in arrays.items()}, {"at_level_already": len(target) - len(below)}


def in_unit_interval(images: Any, device: torch.device) -> Tensor:
    """Stored images, uint8 grey levels or float32, as float32 in [0, 1] on the device."""
    tensor = torch.as_tensor(images).to(device)
    if tensor.dtype != torch.uint8:
        return tensor
    tensor = tensor.float()
    return tensor / divisor(255, tensor)


def strengthened(x: Tensor, adv: Tensor, scale: Tensor | float) -> Tensor:
    """x + scale (adv - x), clipped and rounded to whole grey levels, of (n, C, H, W) images and (n,) scales."""
    factor = scale.to(x)[:, None, None, None] if isinstance(scale, Tensor) else scale
    longer = ((x + factor * (adv - x)).clamp(0, 1) * 255).round()
    return longer / divisor(255, longer)


def confident(
    ctx: NetworkContext, x: Tensor, adv: Tensor, wrong: Tensor, probability: float, scales: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Adversarial images strengthened by the first scale at which the wrong class has a probability, and (n,) whether one has.

    Args:
        ctx: of the run.
        x: (n, C, H, W) originals.
        adv: (n, C, H, W) adversarial images.
        wrong: (n,) their classes.
        probability: to reach.
        scales: ascending.
    """
    chosen, reached = adv.clone(), torch.zeros(len(x), dtype=torch.bool, device=x.device)
    for scale in scales:
        rows = (~reached).nonzero()[:, 0]
        if not len(rows):
            break
        candidates = strengthened(x[rows], adv[rows], scale)
        logits = ctx.forward(candidates)
        p = logits.double().softmax(1).gather(1, wrong[rows, None])[:, 0]
        there = (p >= probability) & (margin(logits, wrong[rows], wrong[rows]) > 0)
        chosen[rows[there]], reached[rows[there]] = candidates[there], True
    return chosen, reached
