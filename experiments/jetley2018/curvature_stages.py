"""Boundary points and curvature bases of classes, as stages that all experiments of jetley2018 share (algorithm 1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from advlab.lab import Cost, NetworkContext, Stage

from .curvature_params import (
    CurvatureParams,
    TargetParams,
    is_dense,
    measured_samples,
    points_id,
    source_images,
    stage_id,
)

__all__ = [
    "CurvatureParams",
    "TargetParams",
    "curvature_stages",
    "is_dense",
    "measured_samples",
    "points_id",
    "source_images",
    "stage_id",
]


def curvature_stages(
    ctx: NetworkContext, params: CurvatureParams, classes: Sequence[int], half: int | None = None
) -> list[Stage]:
    """Of each class the stages of its boundary points (`points_id`) and of its curvature basis (`stage_id`).

    Args:
        ctx: of the run.
        params: of the experiment.
        classes: the targets.
        half: 0 or 1: the bases of the even or odd points alone; the stages of the points are not among them then, and stand
            before them (`curvature_stages(ctx, params, classes)`).
    """
    from .curvature_stages_measure import attack_of, make_basis, make_points  # loads torch

    images, samples = source_images(ctx)
    seed, size, attack = ctx.settings.run.seed, ctx.values_per_image, attack_of(params)
    dense, count = is_dense(params, size), params.points if half is None else params.points // 2
    found = {"basis": "dense"} if dense else {"basis": "lanczos", "pairs": params.pairs, "tolerance": params.tolerance}
    step = {"hessian": params.hessian} if params.hessian == "autograd" else {"hessian": "finite", "step": params.step}
    products = size + 30 if dense else 6 * params.pairs + 15  # about; a product of each pair is its check
    gradients = count * products * (2 if params.hessian == "finite" else 1)
    stages = []
    for target in classes:
        points = ctx.key(
            images=images, version=1, whole=len(samples) == len(images), seed=seed, target=target, attack=attack,
            points=params.points, way=params.way,
        )  # fmt: skip
        forwards, backwards = (2 * params.points * each for each in attack.estimated_cost(2))
        make = partial(make_points, ctx, params, target)
        if half is None:
            stages.append(Stage(points_id(target), points, make, Cost(forwards, backwards), kind="boundary_points"))
        key = ctx.key(images=images, version=1, seed=seed, target=target, half=half, **found, **step)
        make = partial(make_basis, ctx, params, target, half)
        cost = Cost(forwards=gradients, backwards=gradients)
        needed = (points_id(target),)
        stages.append(Stage(stage_id(target, half), key, make, cost, kind="curvature_basis", stages=needed))
    return stages
