"""Ascends from a random start to images of one class, and classifies them again in whole grey levels."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from advlab.attacks.ascent.fooling.algorithm import fooling_levels, random_starts
from advlab.attacks.norms import norms_of_each
from advlab.attacks.status import Status
from advlab.lab import Cell, NetworkContext

from .drawn_images import class_probabilities, grey_levels, image_columns
from .fooling_gallery import FoolingGallery, FoolingRow


def measure(experiment: FoolingGallery, ctx: NetworkContext, cell: Cell) -> list[FoolingRow]:
    """The row of the start, or the rows of one target class: the image of each level of one ascent."""
    start = random_starts(experiment.params.start + 1, ctx.data.shape, ctx.settings.run.seed)[-1:].to(ctx.device)
    if not cell.payload:
        return [start_row(ctx, start)]
    target = cell.payload["target"]
    targets = torch.tensor([target], device=ctx.device)
    results = ctx.in_batches(
        lambda batch_size: fooling_levels(
            ctx.settings.attack,
            ctx.attack_target,
            start,
            targets,
            levels=experiment.params.levels,
            batch_size=batch_size,
        ),
        images=1,
    )
    highest = results[max(results)]  # all levels lie on one ascent, whose whole cost the result of each level holds
    ctx.count(forwards=highest.forwards, backwards=highest.backwards)
    rows = []
    for level in experiment.params.levels:
        result = results[level]
        reached = float(class_probabilities(ctx, result.adv)[target])
        drawn = grey_levels(result.adv)
        probabilities = class_probabilities(ctx, drawn)
        rows.append(
            FoolingRow(
                target=target, target_name=ctx.data.classes[target], level=level, success=bool(result.success[0]),
                status=Status(int(result.status[0])).name.lower(), reached=reached,
                probability=float(probabilities[target]), **prediction_columns(ctx, probabilities),
                steps=int(result.steps[0]), l2=float(norms_of_each((result.adv - start).cpu().double(), "l2")),
                **image_columns(drawn),
            )
        )  # fmt: skip
    return rows


def start_row(ctx: NetworkContext, start: Tensor) -> FoolingRow:
    """The row of the start (1, C, H, W), which has no target."""
    drawn = grey_levels(start)
    probabilities = class_probabilities(ctx, drawn)
    return FoolingRow(
        target=-1, target_name="", level=0.0, success=True, status="start", reached=math.nan,
        probability=float(probabilities.max()), **prediction_columns(ctx, probabilities), steps=0, l2=0.0,
        **image_columns(drawn),
    )  # fmt: skip


def prediction_columns(ctx: NetworkContext, probabilities: Tensor) -> dict[str, Any]:
    """The most probable class of (K,) probabilities, as the columns of a row."""
    prediction = int(probabilities.argmax())
    return {"prediction": prediction, "prediction_name": ctx.data.class_name(prediction)}
