"""Shows test, adversarial and fooling images to every open set network, and counts what becomes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from advlab.attacks.norms import norms_of_each
from advlab.defenses import OpenMax
from advlab.lab import Cell, NetworkContext
from advlab.metrics.pass_score import pass_score
from advlab.open_set.softmax_threshold import threshold_logits

from .adversarial_stages import Variant
from .adversarial_stages_measure import adversarial_images
from .open_set import OUTCOMES, OpenSet, OpenSetRow
from .open_set_stages import FOOLING, THRESHOLD
from .open_set_stages_measure import confident, features_of, fitted_model, in_unit_interval, strengthened
from .open_set_variants import layers_and_distances, paper_defense, smallest_tail, variants

SCALES = tuple(1 + 0.05 * step for step in range(41))  # at which the wrong class's probability is looked at
NONE = -1  # no class


@dataclass(frozen=True, kw_only=True)
class ShownImages:
    """Images of one kind.

    Attributes:
        images, group, arithmetic, missing, already: columns of the row.
        x: (n, C, H, W).
        labels: (n,) true classes, -1: none.
        targets: (n,) classes that they are made for, -1: none.
        originals: (n, C, H, W) of adversarial ones.
    """

    images: str
    group: str
    x: Tensor
    labels: Tensor
    targets: Tensor
    arithmetic: str = ""
    missing: int = 0
    already: int = 0
    originals: Tensor | None = None


def measure(experiment: OpenSet, ctx: NetworkContext, cell: Cell) -> list[OpenSetRow]:
    """The rows of one cell: of each kind of images in it, one for each network."""
    if cell.id == "test":
        x, labels = ctx.images_and_labels(experiment.test_samples(ctx))
        shown = [
            ShownImages(images="test set", group="test", x=x, labels=labels, targets=torch.full_like(labels, NONE))
        ]
    elif cell.id == "fooling":
        shown = fooling_sets(experiment, ctx)
    else:
        kind = experiment.kinds(ctx)[cell.payload["kind"]]
        if cell.id.startswith("aware-"):
            return [aware_row(experiment, ctx, kind)]
        shown = adversarial_sets(experiment, ctx, kind)
    return [row for each in shown for row in rows_of(experiment, ctx, each)]


def adversarial_sets(experiment: OpenSet, ctx: NetworkContext, kind: Variant) -> list[ShownImages]:
    """The images of an attack with the smallest weight, longer ones, and those that the wrong class is sure of."""
    params = experiment.params
    x, labels = ctx.images_and_labels(ctx.order(params.samples))
    arrays, adv = ctx.stage(kind.id).arrays, adversarial_images(ctx, kind.id)
    success = torch.as_tensor(arrays["success"]).to(x.device)
    targets = torch.as_tensor(arrays["prediction"]).to(x.device)
    eligible = int((ctx.forward(x).argmax(1) == labels).sum())
    rows = success.nonzero()[:, 0]
    x, labels, targets, adv = x[rows], labels[rows], targets[rows], adv[rows]

    def shown(group: str, suffix: str, images: Tensor, kept: Tensor) -> ShownImages:
        return ShownImages(
            images=f"{kind.label}{suffix}", group=group, arithmetic=kind.arithmetic, x=images[kept], labels=labels[kept],
            targets=targets[kept], missing=eligible - int(kept.sum()), originals=x[kept],
        )  # fmt: skip

    sets = [shown("adversarial", "", adv, torch.ones_like(rows, dtype=torch.bool))]
    if not kind.attack.minimal:
        return sets
    for length in params.lengths:
        longer = strengthened(x, adv, length)
        sets.append(shown("longer", f" x {length:g}", longer, ctx.forward(longer).argmax(1) == targets))
    for probability in params.confidences:
        sure, reached = confident(ctx, x, adv, targets, probability, SCALES)
        sets.append(shown("confident", f" p >= {probability:g}", sure, reached))
    return sets


def fooling_sets(experiment: OpenSet, ctx: NetworkContext) -> list[ShownImages]:
    """Random starts, and the images of each level; starts at the lowest level already are counted and left out."""
    arrays = ctx.stage(FOOLING).arrays
    starts = in_unit_interval(arrays["starts"], ctx.device)
    no_label = torch.full((len(starts),), NONE, device=ctx.device)
    start_class = ctx.forward(starts).argmax(1)
    sets = [ShownImages(images="random starts", group="starts", x=starts, labels=no_label, targets=start_class)]
    already = int((arrays["start_probability"] >= min(experiment.params.levels)).sum())
    targets = torch.as_tensor(arrays["target"]).to(ctx.device)
    for level, adv, success in zip(experiment.params.levels, arrays["adv"], arrays["success"], strict=True):
        kept = torch.as_tensor(success).to(ctx.device)
        x = in_unit_interval(adv, ctx.device)[kept]
        sets.append(
            ShownImages(
                images=f"F{100 * level:g}", group="fooling", x=x, labels=torch.full_like(targets[kept], NONE),
                targets=targets[kept], missing=len(kept) - already - len(x), already=already,
            )
        )  # fmt: skip
    return sets


def rows_of(experiment: OpenSet, ctx: NetworkContext, shown: ShownImages) -> list[OpenSetRow]:
    """A row for each open set network, for the softmax threshold and for the plain network."""
    params = experiment.params
    layers, _ = layers_and_distances(params)
    logits, features = features_of(ctx, shown.x, layers)
    weights: dict[object, Tensor] = {}
    networks: list[tuple[str, str, str, Tensor]] = []
    for varied, value, defense in variants(params):
        key = (defense.layer, defense.distance, defense.tail_size, defense.translation, defense.tail_of)
        if key not in weights:
            weights[key] = fitted_model(ctx, defense).exceeded(features[defense.layer])
        networks.append(("openmax", varied, value, defense.revision()(logits, weights[key]).argmax(1)))
    reference = networks[smallest_tail(params)][3]
    limit, plain = float(ctx.stage(THRESHOLD).arrays["threshold"][0]), logits.argmax(1)
    networks.append(("softmax", "", "", threshold_logits(logits, limit).argmax(1) if limit else plain))
    networks.append(("plain", "", "", plain))
    usual = plain.bincount(minlength=logits.shape[1])
    common: dict[str, Any] = {
        "images": shown.images, "group": shown.group, "arithmetic": shown.arithmetic, "missing": shown.missing,
        "already": shown.already, "total": len(plain), "l2_plain": math.nan, **likeness(shown, params.pass_images),
        "usual_class": int(usual.argmax()) if len(plain) else NONE,
        "usual_share": float(usual.max()) / len(plain) if len(plain) else math.nan,
    }  # fmt: skip
    there = outcomes(reference, shown, logits.shape[1])
    rows = []
    for network, varied, value, found in networks:
        here = outcomes(found, shown, logits.shape[1])
        rows.append(
            OpenSetRow(
                network=network, varied=varied, value=value, threshold=limit if network == "softmax" else math.nan,
                **counted(here),
                correct_gained=int((here["correct"] & ~there["correct"]).sum()),
                correct_lost=int((there["correct"] & ~here["correct"]).sum()),
                target_gained=int((here["same_target"] & ~there["same_target"]).sum()),
                target_lost=int((there["same_target"] & ~here["same_target"]).sum()), **common,
            )
        )  # fmt: skip
    return rows


def outcomes(found: Tensor, shown: ShownImages, classes: int) -> dict[str, Tensor]:
    """(n,) bool of each of `OUTCOMES`, of which one is true for each image, from the classes `found` (n,)."""
    correct, unknown = found == shown.labels, found == classes
    target = (found == shown.targets) & ~correct
    return dict(zip(OUTCOMES, (correct, unknown, target, ~(correct | unknown | target)), strict=True))


def counted(hits: dict[str, Tensor]) -> dict[str, Any]:
    """How many images have each outcome."""
    return {outcome: int(of_each.sum()) for outcome, of_each in hits.items()}


def likeness(shown: ShownImages, count: int) -> dict[str, Any]:
    """PASS of the first images and the median norm of the perturbations; NaN where there are no originals."""
    originals = shown.originals
    if originals is None or not len(originals):
        return {"pass_score": math.nan, "l2": math.nan}
    similar = pass_score(originals[:count], shown.x[:count]).double().mean() if count else math.nan
    return {"pass_score": float(similar), "l2": median_norm(shown.x - originals)}


def median_norm(delta: Tensor) -> float:
    """Median L2 norm of (n, C, H, W) perturbations; NaN of none."""
    return float(norms_of_each(delta, "l2").double().quantile(0.5)) if len(delta) else math.nan


def aware_row(experiment: OpenSet, ctx: NetworkContext, kind: Variant) -> OpenSetRow:
    """An attack on the first images that knows the paper's open set network, beside the same attack on the plain one."""
    defense: OpenMax = paper_defense(experiment.params)
    count = min(experiment.params.aware, experiment.params.samples)
    x, labels = ctx.images_and_labels(ctx.order(count))
    network = ctx.defended(defense)
    result = ctx.attack(kind.attack, x, labels, network=network)
    found = result.prediction[result.eligible]
    shown = ShownImages(
        images=f"{kind.label}, aware", group="aware", arithmetic=kind.arithmetic, x=result.adv[result.success],
        labels=labels[result.eligible], targets=torch.full_like(found, NONE), originals=x[result.success],
    )  # fmt: skip
    counts = outcomes(found, shown, len(ctx.data.classes))
    plain = torch.as_tensor(ctx.stage(kind.id).arrays["success"][:count]).to(x.device) & result.success
    adv = adversarial_images(ctx, kind.id)[:count]
    classes = found[counts["other"]].tolist()
    usual = max(sorted(set(classes)), key=classes.count) if classes else NONE
    return OpenSetRow(
        images=shown.images, group=shown.group, arithmetic=shown.arithmetic, network="openmax", varied="",
        value=str(defense.tail_size),
        total=len(found), **counted(counts), missing=count - len(found), already=0,
        correct_gained=0, correct_lost=0, target_gained=0, target_lost=0, **likeness(shown, experiment.params.pass_images),
        l2_plain=median_norm((adv - x)[plain]), usual_class=usual,
        usual_share=classes.count(usual) / len(classes) if classes else math.nan, threshold=math.nan,
    )  # fmt: skip
