"""Measures figure 2: quantiles of class scores over the images, and who is moved into the class, at each length."""

from __future__ import annotations

from typing import Any

import numpy as np

from advlab.lab import Cell, NetworkContext

from .along_directions_measure import (
    CHUNK,
    Scores,
    direction_of,
    grey_direction,
    joined,
    lengths_of,
    range_of,
    scores_along,
)
from .chosen_basis import is_curved
from .class_scores import ClassScores, ClassScoresRow
from .image_columns import image_columns
from .missing_classes import has_points

QUANTILES = {"low": 0.3, "median": 0.5, "high": 0.7}


def measure(experiment: ClassScores, ctx: NetworkContext, cell: Cell) -> list[ClassScoresRow]:
    """A row for each length along one direction of one class."""
    params, target = experiment.params, cell.payload["target"]
    if is_curved(params) and not has_points(ctx, target):
        return experiment.rows_without_points(ctx, cell)
    direction = direction_of(ctx, params, target, cell.payload["kind"], cell.payload["index"])
    longest, saturated = range_of(ctx, target, given=params.range, saturation=params.saturation)
    lengths, samples = lengths_of(longest, params.steps), experiment.samples(ctx)
    parts = []
    for start in range(0, len(samples), CHUNK):
        x, _ = ctx.images_and_labels(samples[start : start + CHUNK])
        parts.append(scores_along(ctx.forward, x, direction.vector, lengths.tolist(), target))
    columns = over_images(joined(parts, axis=0), target)
    drawn = target in experiment.drawn_classes(ctx)
    return [
        ClassScoresRow(
            target=target, target_name=ctx.data.classes[target], direction=direction.kind,
            index=cell.payload["index"], length=float(s), curvature=direction.curvature, saturated=saturated, drawn=drawn,
            **{name: values[k].item() for name, values in columns.items()},
            **image_columns(grey_direction(direction.vector), kept=k == params.steps and drawn),
        )
        for k, s in enumerate(lengths)
    ]  # fmt: skip


def over_images(scores: Scores, target: int) -> dict[str, np.ndarray[Any, Any]]:
    """The columns of `ClassScoresRow` that are about images: (m,) each, from scores at n images and m lengths, 0 in the middle.

    Whose class is the target is what the network says at s = 0, as algorithm 1 takes the samples' classes.
    """
    n, m = scores.target.shape
    inside, before = scores.prediction == target, scores.prediction[:, m // 2, None]
    own = inside[:, m // 2]
    moved, stayed, unchanged = inside[~own], inside[own], scores.prediction == before
    columns = {
        f"{name}_{quantile}": np.quantile(values.astype(float), q, axis=0)
        for name, values in (("target", scores.target), ("other", scores.other))
        for quantile, q in QUANTILES.items()
    }
    probability = np.median(scores.probability[~own].astype(float), axis=0) if len(moved) else np.full(m, np.nan)
    return {
        **columns,
        "others": np.full(m, len(moved)), "moved": moved.sum(0), "moved_both": (moved & moved[:, ::-1]).sum(0),
        "probability": probability,
        "own": np.full(m, len(stayed)), "stayed": stayed.sum(0), "stayed_either": (stayed | stayed[:, ::-1]).sum(0),
        "unchanged": unchanged.sum(0), "unchanged_both": (unchanged & unchanged[:, ::-1]).sum(0),
        "samples": np.full(m, n),
    }  # fmt: skip
