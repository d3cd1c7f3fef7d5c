"""Attacks the images of a survey and describes every adversarial image as each network sees it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from advlab.attacks.logits import margin
from advlab.attacks.norms import norms_of_each
from advlab.attacks.results import AttackResult
from advlab.attacks.status import Status
from advlab.errors import ResultError
from advlab.lab import Cell, NetworkContext
from advlab.models.forward import Forward

from .attack_survey import AttackSurvey, SurveyRow
from .image_columns import classified_correctly, similarities, survives_rounding
from .kept_images import keep_images
from .survey_summary import SELF, attack_label


def prepare(experiment: AttackSurvey, ctx: NetworkContext) -> dict[str, Any]:
    """The attacked samples, those held out for an attack that asks for them, and digests of the other networks' weights."""
    settings, count = ctx.settings, experiment.params.samples
    samples = ctx.order()
    victims = {}
    if not settings.run.dry:
        victims = {name: other.classifier.digest() for name, other in ctx.listed_networks("transfer").items()}
    held_out = samples[count : 2 * count] if "held_out" in settings.attack.extra_inputs else []
    return {"samples": samples[:count], "held_out": held_out, "victims": victims}


class AttackedImage(NamedTuple):
    """One image of a cell and what is done to it: a sample appears once for each of its targets."""

    sample: int  # index in the split
    label: int  # true class
    target: int  # class to reach; -1: any other than the label


def measure(experiment: AttackSurvey, ctx: NetworkContext, cell: Cell) -> list[SurveyRow]:
    """The rows of the attacked network for the images of a cell, followed by those of each other network."""
    data, forward = ctx.data, ctx.forward
    attack, samples = ctx.settings.attack, cell.payload["samples"]
    true_classes = data.labels[torch.tensor(samples).to(data.device)].tolist()
    attacked_images = [
        AttackedImage(sample, label, target)
        for sample, label in zip(samples, true_classes, strict=True)
        for target in experiment.targets(ctx.settings.run.seed, sample, label, len(data.classes))
    ]
    index, labels, targets = (torch.tensor(column) for column in zip(*attacked_images, strict=True))
    x = data.images(index)
    labels, targets = labels.to(x.device), targets.to(x.device)
    if attack.set_level:  # it counts changed predictions, whether they were right or wrong before
        with torch.inference_mode():
            labels = torch.cat([forward(part).argmax(1) for part in x.split(forward.limit)]).clone()
    held_out = ctx.prepared["held_out"]
    extra_inputs: dict[str, Any] = {"held_out": data.images(torch.tensor(held_out))} if held_out else {}
    result = ctx.attack(
        attack,
        x,
        labels,
        targets=None if experiment.params.targets == "none" else targets,
        **extra_inputs,
    )
    survives = survives_rounding(ctx, result, labels, targets)
    correct = classified_correctly(attack, result, labels, [image.label for image in attacked_images])
    rows = own_rows(ctx, attacked_images, x, result, survives, correct)
    if experiment.params.keep:
        keep_images(
            ctx, cell.id, list(experiment.params.keep), index=index, labels=labels, targets=targets, x=x, adv=result.adv,
            success=result.success,
        )  # fmt: skip
    victims = ctx.listed_networks("transfer") if ctx.prepared["victims"] else {}
    for choice, weights in ctx.prepared["victims"].items():
        rows += transfer_rows(
            experiment, ctx, choice, victims[choice], weights, rows[: len(attacked_images)], x, result.adv
        )
    return rows


def own_rows(
    ctx: NetworkContext,
    attacked_images: list[AttackedImage],
    x: Tensor,
    result: AttackResult,
    survives: Tensor,
    correct: list[float],
) -> list[SurveyRow]:
    """A row for each attacked image, as the attacked network itself sees it.

    Args:
        ctx: of the run.
        attacked_images: sample, label and target of each image.
        x: (N, C, H, W) the images.
        result: of the attack on them.
        survives: (N,) as `survives_rounding` gives it.
        correct: as `classified_correctly` gives it.
    """
    attack = ctx.settings.attack
    name = attack_label(ctx.settings.nodes["attack"]["name"], attack)
    minimal = attack.minimal and not getattr(attack, "epsilon", 0)
    delta = (result.adv - x).cpu().double()
    norms = {norm: norms_of_each(delta, norm).tolist() for norm in ("l1", "l2", "linf")}
    likeness = similarities(x, result.adv, result.success)
    columns = {
        key: getattr(result, key).tolist()
        for key in ("eligible", "status", "success", "prediction", "margin", "epsilon", "steps", "saturated")
    }
    rows = []
    for i, image in enumerate(attacked_images):
        eligible = columns["eligible"][i]
        rows.append(
            SurveyRow(
                sample=image.sample, attack=name, target=image.target, victim=SELF, label=image.label, minimal=minimal,
                eligible=eligible, status=Status(columns["status"][i]).name.lower(),
                success=columns["success"][i], prediction=columns["prediction"][i], margin=columns["margin"][i],
                l1=norms["l1"][i] if eligible else math.nan,
                l2=norms["l2"][i] if eligible else math.nan,
                linf=norms["linf"][i] if eligible else math.nan,
                pass_score=likeness["pass_score"][i], ssim=likeness["ssim"][i],
                epsilon=columns["epsilon"][i], steps=columns["steps"][i],
                forwards=result.forwards / len(attacked_images), backwards=result.backwards / len(attacked_images),
                survives_rounding=float(survives[i]) if columns["success"][i] else math.nan,
                saturated=float(columns["saturated"][i]), correct=correct[i],
            )
        )  # fmt: skip
    return rows


def transfer_rows(
    experiment: AttackSurvey,
    ctx: NetworkContext,
    choice: str,
    victim: Forward,
    weights: str,
    own: list[SurveyRow],
    x: Tensor,
    x_adv: Tensor,
) -> list[SurveyRow]:
    """What another network makes of the adversarial images that succeeded against the attacked one.

    Args:
        experiment: knows whether there are targets.
        ctx: of the run.
        choice: the other network, as in `model=CHOICE`.
        victim: forwards of it.
        weights: digest of its weights when the run began.
        own: rows of the attacked network, one for each image.
        x: (N, C, H, W) the images.
        x_adv: (N, C, H, W) what the attack returned.

    Raises:
        ResultError: the weights are others now.
    """
    if victim.classifier.digest() != weights:
        raise ResultError(f"the weights of {choice} are not those that this run began with: start a new run")
    successes = [i for i, row in enumerate(own) if row.success]
    if not successes:
        return []
    index = torch.tensor(successes, device=x.device)
    labels = torch.tensor([own[i].label for i in successes], device=x.device)
    targets = None
    if experiment.params.targets != "none":
        targets = torch.tensor([own[i].target for i in successes], device=x.device)
    with torch.inference_mode():
        clean_logits, logits = (
            torch.cat([victim(part) for part in images[index].split(victim.limit)]) for images in (x, x_adv)
        )
    attack = ctx.settings.attack
    eligible = (clean_logits.argmax(1) == labels).tolist()
    achieved = attack.achieved(logits, labels, targets).tolist()  # the targets of Hot/Cold need not be reached
    margins, predictions = margin(logits, labels, attack.goal(targets)).tolist(), logits.argmax(1).tolist()
    rows = []
    for k, i in enumerate(successes):
        success = eligible[k] and achieved[k]
        rows.append(
            dataclasses.replace(
                own[i], victim=choice, eligible=eligible[k], success=success, margin=margins[k],
                status="success" if success else "kept" if eligible[k] else "ineligible",
                prediction=predictions[k], forwards=math.nan, backwards=math.nan,
            )
        )  # fmt: skip
    return rows
