"""Ascends from a random start to images of one class, and classifies them again in whole grey levels."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from advlab.attacks.ascent.fooling.algorithm import fooling_levels, random_starts
from advlab.attacks.norms import norms_of_each
from advlab.attacks.status import Status
from advlab.lab import Cell, NetworkContext

from .drawn_images import class_probabilities, grey_levels, image_columns, verdict_columns
from .fooling_gallery import FoolingGallery, FoolingRow


class Start(NamedTuple):
    """The random start of all classes."""

    image: Tensor  # (1, C, H, W) in [0, 1]
    number: int
    redrawn: int  # starts that were passed over
    probabilities: Tensor  # (K,) float64

    def columns(self, target: int) -> dict[str, Any]:
        """What a row says of the start."""
        return {
            "start": self.number, "redrawn": self.redrawn, "start_class": int(self.probabilities.argmax()),
            "start_probability": float(self.probabilities[target]),
        }  # fmt: skip


def drawn_start(experiment: FoolingGallery, ctx: NetworkContext) -> Start:
    """The first start that is not at the lowest level of any of the classes already; without one, the first of all."""
    params, starts = experiment.params, list[Start]()
    for redrawn in range(params.draws):
        number = params.start + redrawn
        image = random_starts(number + 1, ctx.data.shape, ctx.settings.run.seed)[-1:].to(ctx.device)
        starts.append(Start(image, number, redrawn, class_probabilities(ctx, image)))
        if float(starts[-1].probabilities[params.classes].max()) < min(params.levels):
            return starts[-1]
    return starts[0]._replace(redrawn=params.draws - 1)


def measure(experiment: FoolingGallery, ctx: NetworkContext, cell: Cell) -> list[FoolingRow]:
    """The row of the start, or the rows of one target class: the image of each level of one ascent."""
    drawn_from = drawn_start(experiment, ctx)
    start = drawn_from.image
    if not cell.payload:
        return [start_row(ctx, drawn_from)]
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
        is_there = float(drawn_from.probabilities[target]) >= level  # without a step: no image of the attack's
        status = "start_at_level" if is_there else Status(int(result.status[0])).name.lower()
        rows.append(
            FoolingRow(
                target=target, target_name=ctx.data.classes[target], level=level,
                success=bool(result.success[0]) and not is_there, status=status, reached=reached,
                probability=float(probabilities[target]), **prediction_columns(ctx, probabilities),
                steps=int(result.steps[0]), l2=float(norms_of_each((result.adv - start).cpu().double(), "l2")),
                **drawn_from.columns(target), **image_columns(drawn), **verdict_columns(ctx, drawn),
            )
        )  # fmt: skip
    return rows


def start_row(ctx: NetworkContext, start: Start) -> FoolingRow:
    """The row of the start, which has no target."""
    return FoolingRow(
        target=-1, target_name="", level=0.0, success=True, status="start", reached=math.nan,
        probability=float(start.probabilities.max()), **prediction_columns(ctx, start.probabilities), steps=0, l2=0.0,
        **start.columns(int(start.probabilities.argmax())), **image_columns(start.image), **verdict_columns(ctx, start.image),
    )  # fmt: skip


def prediction_columns(ctx: NetworkContext, probabilities: Tensor) -> dict[str, Any]:
    """The most probable class of (K,) probabilities, as the columns of a row."""
    prediction = int(probabilities.argmax())
    return {"prediction": prediction, "prediction_name": ctx.data.class_name(prediction)}
