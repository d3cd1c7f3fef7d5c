"""Measures figure 1: curves of single images, their shapes, and grids of steps along two directions."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.lab import Cell, NetworkContext
from advlab.metrics.curve_shapes import Curves, interaction_share, mirror_symmetry, monotonicity, separability

from .along_directions import kinds_of
from .along_directions_measure import Direction, direction_of, grey_direction, lengths_of, range_of, scores_along
from .chosen_basis import is_curved
from .image_columns import image_columns
from .missing_classes import has_points
from .score_curves import ScoreCurves, ScoreCurvesRow


def measure(experiment: ScoreCurves, ctx: NetworkContext, cell: Cell) -> list[ScoreCurvesRow]:
    """A row for each image along one direction of one class."""
    params, target, index = experiment.params, cell.payload["target"], cell.payload["index"]
    if is_curved(params) and not has_points(ctx, target):
        return experiment.rows_without_points(ctx, cell)
    direction = direction_of(ctx, params, target, cell.payload["kind"], index)
    partner = direction_of(ctx, params, target, *partner_of(params, direction.kind, index))
    longest, saturated = range_of(ctx, target, given=params.range, saturation=params.saturation)
    lengths, samples = lengths_of(longest, params.steps), experiment.samples(ctx)
    x, labels = ctx.images_and_labels(samples)
    scores = scores_along(ctx.forward, x, direction.vector, lengths.tolist(), target)
    curves = scores.target.astype(float)
    component = components(ctx, x, direction.vector)
    columns: dict[str, Any] = curve_columns(curves, lengths, component)
    columns["interaction"] = interaction_share(on_a_grid(ctx, x, direction, partner, longest, params.grid, target))
    before = scores.prediction[:, params.steps]
    in_figure = target in experiment.drawn_classes(ctx)
    followed = shown_sample(before == target, of_the_class=direction.kind == "negative")
    steps = np.linspace(0, 2 * params.steps, params.images).round().astype(int)
    rows = []
    for n, sample in enumerate(samples):
        drawn = in_figure and (n < params.curves or n == followed)
        film = film_strip(x[n], direction.vector, lengths[steps].tolist())
        rows.append(
            ScoreCurvesRow(
                dataset=ctx.data.name, target=target, target_name=ctx.data.classes[target], direction=direction.kind,
                index=index, sample=sample, label=int(labels[n]), prediction=int(before[n]),
                curvature=direction.curvature, range=longest, saturated=saturated,
                **{name: values[n].item() for name, values in columns.items()}, partner=partner.kind, drawn=drawn,
                scores=" ".join(f"{value:.6g}" for value in curves[n]) if drawn else "",
                predictions=" ".join(map(str, scores.prediction[n].tolist())) if drawn else "",
                **shown_columns(ctx, scores.prediction[n], steps, film, kept=drawn and n == followed),
            )
        )  # fmt: skip
    return rows


def partner_of(params: ScoreCurves.Params, kind: str, index: int) -> tuple[str, int]:
    """Kind and index of the direction that one is crossed with: the first of the most active other kind, or of its own."""
    others = [other for other in kinds_of(params) if other not in (kind, "random")]
    return (others[0], 1) if others else (kind, 2 if index == 1 else 1)


def components(ctx: NetworkContext, x: Tensor, direction: Tensor) -> Curves:
    """(n,) components along a direction of images less the mean of these images."""
    along = x.flatten(1) @ direction.flatten()
    return np.asarray((along - along.mean()).cpu().double().numpy())


def curve_columns(curves: Curves, lengths: Curves, component: Curves) -> dict[str, Curves]:
    """The columns of `ScoreCurvesRow` that follow from the curves alone: (n,) each.

    Args:
        curves: (n, m) scores.
        lengths: (m,) equally spaced s.
        component: (n,) of the images along the direction.
    """
    symmetry = mirror_symmetry(curves)
    variation = np.abs(np.diff(curves, axis=1)).sum(1)
    parts = separability(curves)
    aligned = separability(shifted(curves, lengths, component))
    nowhere = np.full(len(curves), math.nan)
    known = aligned.total.sum() > 0
    return {
        "component": component, "symmetry": symmetry.r2,
        "center": lengths[0] + symmetry.center * (lengths[1] - lengths[0]) / 2,
        "monotonicity": monotonicity(curves, symmetry.center), "slope": variation / (lengths[-1] - lengths[0]),
        "left": parts.interaction, "total": parts.total, "within": parts.within,
        "aligned_left": aligned.interaction if known else nowhere, "aligned_total": aligned.total if known else nowhere,
        "aligned_within": aligned.within if known else nowhere,
    }  # fmt: skip


def shifted(curves: Curves, lengths: Curves, component: Curves) -> Curves:
    """(n, m') the curves as functions of i^d = s + component, at the same i^d: linearly interpolated where all are known.

    Without a common range of i^d of half the length of the curves there are no such places, and all values are 0.
    """
    first, last = lengths[0] + component.max(), lengths[-1] + component.min()
    if last - first < (lengths[-1] - lengths[0]) / 2:
        return np.zeros((len(curves), 1))
    places = np.linspace(first, last, len(lengths))
    return np.stack([np.interp(places - c, lengths, curve) for curve, c in zip(curves, component, strict=True)])


def on_a_grid(
    ctx: NetworkContext, x: Tensor, one: Direction, other: Direction, longest: float, points: int, target: int
) -> Curves:
    """(n, points, points) scores at x + s d + t e over equally spaced s and t within the range."""
    steps = np.linspace(-longest, longest, points).tolist()
    rows = [scores_along(ctx.forward, x + s * one.vector, other.vector, steps, target).target for s in steps]
    return np.stack(rows, 1).astype(float)


def shown_sample(own: Any, *, of_the_class: bool) -> int:
    """The first image of the class, or of another, along whose curve images are shown; the first of all without one."""
    return int(np.argmax(own if of_the_class else ~own))


def shown_columns(ctx: NetworkContext, predictions: Any, steps: Any, film: Tensor, *, kept: bool) -> dict[str, Any]:
    """The columns of `ScoreCurvesRow` about images along a curve; texts are empty unless they are kept."""
    names = [ctx.data.class_name(int(predictions[k])) for k in steps]
    return {
        "shown_steps": " ".join(map(str, steps.tolist())) if kept else "", "shown_names": json.dumps(names) if kept else "",
        **image_columns(film, kept=kept),
    }  # fmt: skip


def film_strip(image: Tensor, direction: Tensor, lengths: list[float]) -> Tensor:
    """(1, C, H, (1 + k) W): the direction as an image, then the image moved by each of k lengths, beside each other."""
    moved = [(image + s * direction)[None] for s in lengths]
    return torch.cat([grey_direction(direction), *moved], 3)
