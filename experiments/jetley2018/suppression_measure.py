"""Measures `suppression`: attacks the network with and without each projection, and classifies images behind it."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor

from advlab.defenses import Project
from advlab.lab import Arrays, Cell, Cost, NetworkContext, Stage

from .curvature_stages import measured_samples
from .predictions_measure import predictions
from .subspaces_measure import Spanned, kept_mean, spanned_subspaces
from .suppression import ATTACK, Suppression, SuppressionRow


def unprojected_stage(experiment: Suppression, ctx: NetworkContext) -> Stage:
    """The smallest perturbations of the samples without a projection."""
    samples = measured_samples(ctx, experiment.params.samples)
    forwards, backwards = (len(samples) * each for each in ATTACK.estimated_cost(len(ctx.data.classes)))
    key = ctx.key(version=1, attack=ATTACK, samples=samples)
    return Stage("unprojected", key, partial(unprojected, ctx, samples), Cost(forwards, backwards), kind="smallest_l2")


def unprojected(ctx: NetworkContext, samples: list[int]) -> tuple[Arrays, dict[str, Any]]:
    """Arrays `adv` (n, C, H, W), `success` (n,) and `l2` (n,)."""
    x, labels = ctx.images_and_labels(samples)
    result = ctx.attack(ATTACK, x, labels)
    return {
        "adv": result.adv.cpu().numpy(), "success": result.success.cpu().numpy(), "l2": result.distance.cpu().double().numpy()
    }, {}  # fmt: skip


def measure(experiment: Suppression, ctx: NetworkContext, cell: Cell) -> list[SuppressionRow]:
    """The rows of all projections of one d."""
    params, d = experiment.params, cell.payload["d"]
    images = measured_samples(ctx, params.accuracy_images)
    whole, truth = predictions(ctx, ctx.data, images)
    rows = []
    for spanned in spanned_subspaces(ctx, params, d):
        for mode in params.modes:
            network = projected_network(ctx, spanned, keep=mode == "keep", centred=params.centred)
            right = classes(ctx, network, images) == truth
            counts: dict[str, Any] = {
                "accuracy_images": len(truth), "accurate_whole": int((whole == truth).sum()), "accurate": int(right.sum()),
                "lost": int(((whole == truth) & ~right).sum()), "won": int((right & (whole != truth)).sum()),
            }  # fmt: skip
            common = {
                "mode": mode, "subspace": spanned.kind, "d": d, "draw": spanned.draw, "classes": spanned.classes,
                "without": spanned.without, "rank": len(spanned.subspace.basis), "dimension": ctx.values_per_image,
            }  # fmt: skip
            rows += attacked(ctx, network, measured_samples(ctx, params.samples), params.gain, common, counts)
    return rows


def attacked(
    ctx: NetworkContext, network: Any, samples: list[int], factor: float, common: dict[str, Any], counts: dict[str, Any]
) -> list[SuppressionRow]:
    """A row for each sample: the smallest norm behind a projection, beside that without it.

    Args:
        ctx: of the run.
        network: with the projection.
        samples: indices.
        factor: by which perturbations found without the projection are lengthened.
        common: columns of all rows before `sample`.
        counts: those of the accuracy.
    """
    x, labels = ctx.images_and_labels(samples)
    stage = ctx.stage("unprojected").arrays
    adv = torch.from_numpy(stage["adv"]).to(x)
    result = ctx.attack(ATTACK, x, labels, network=network)
    seen = classify(ctx, network, x + factor * (adv - x))
    columns = [
        values.tolist() for values in (result.eligible, result.success, result.distance, seen != labels.to(seen.device))
    ]
    return [
        SuppressionRow(
            **common, sample=sample, eligible_whole=bool(success), l2_whole=float(l2) if success else math.nan,
            correct=eligible, l2=distance if found else math.nan, factor=factor,
            transferred=bool(success) and changed, **counts,
        )
        for sample, success, l2, eligible, found, distance, changed in zip(
            samples, stage["success"], stage["l2"], *columns, strict=True
        )
    ]  # fmt: skip


def projected_network(ctx: NetworkContext, spanned: Spanned, *, keep: bool, centred: bool) -> Any:
    """The run's network behind the projection onto a subspace or out of it, differentiable."""
    mean = kept_mean(ctx) if centred else None
    defense = Project(basis=spanned.subspace.basis.T.cpu(), onto=keep, centred=centred, mean=mean)
    return defense(ctx.attack_target)


def classes(ctx: NetworkContext, network: Any, samples: list[int]) -> Tensor:
    """(n,) predictions on images of the measured split, on the CPU."""
    parts = torch.tensor(samples).split(ctx.forward.limit)
    return torch.cat([classify(ctx, network, ctx.data.images(part)).cpu() for part in parts])


def classify(ctx: NetworkContext, network: Any, x: Tensor) -> Tensor:
    """(n,) predictions on images (n, C, H, W)."""
    with torch.no_grad():
        found = torch.cat([network(part).argmax(1) for part in x.split(ctx.forward.limit)])
    ctx.count(forwards=len(x))
    return found
