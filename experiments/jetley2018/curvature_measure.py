"""Measures the basis of one class: its spectrum, the overlap of its halves, and flipping norms along its directions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.geometry.mean_hessian import CurvatureBasis
from advlab.lab import Cell, NetworkContext

from .curvature import BISECTIONS, LENGTHS, PRINCIPAL, RANDOM, Curvature, CurvatureRow
from .curvature_stages import measured_samples, stage_id
from .curvature_stages_measure import curvature_basis, length_of_step
from .image_columns import image_columns
from .missing_classes import has_points, row_without_points

DRAWN = 2  # directions of either end that are kept as images


def measure(experiment: Curvature, ctx: NetworkContext, cell: Cell) -> list[CurvatureRow]:
    """The rows of one class: its principal directions, and a random one as the control of the flipping norms."""
    params, target = experiment.params, cell.payload["target"]
    if not has_points(ctx, target):
        return [row_without_points(CurvatureRow, target=target, target_name=ctx.data.class_name(target))]
    basis, facts = curvature_basis(ctx, target), ctx.stage(stage_id(target)).facts
    halves = [curvature_basis(ctx, target, half) for half in (0, 1)] if params.halves else []
    top = min([params.top, *(len(basis.curvatures) // 2 for basis in (basis, *halves))])
    samples = measured_samples(ctx, params.images)
    images, _ = ctx.images_and_labels(samples)
    limit = params.cap * math.sqrt(ctx.values_per_image)
    # not that of the stage, which exact Hessians of other steps share
    gradient, step = facts["gradient_norm"], length_of_step(ctx, params)
    common: dict[str, Any] = {
        "target": target, "target_name": ctx.data.class_name(target), "size": ctx.values_per_image,
        "found": len(basis.curvatures), "points": facts["points"], "step": step, "asymmetry": basis.asymmetry,
        "top": top, "overlap_positive": overlap(halves, slice(0, top)),
        "overlap_negative": overlap(halves, slice(-top, None)), "limit": limit,
    }  # fmt: skip
    curvatures = basis.curvatures.tolist()
    followed = followed_ranks(curvatures, params.directions)
    rows = []
    for i, curvature in enumerate(curvatures):
        v = basis.directions[i].view(1, *ctx.data.shape)
        drawn = i < DRAWN or i >= len(curvatures) - DRAWN
        rows.append(
            CurvatureRow(
                **common, direction=PRINCIPAL, rank=i + 1, curvature=curvature, rayleigh=float(basis.rayleigh[i]),
                residual=float(basis.residuals[i]), bend=abs(curvature) * step / gradient if gradient else 0.0,
                **(flips(ctx.forward, images, v, limit) if i in followed else NOT_FOLLOWED),
                **image_columns(0.5 + v / (2 * v.abs().max()), kept=drawn),
            )
        )  # fmt: skip
    if params.directions:
        v = random_direction(ctx, target)
        rows.append(
            CurvatureRow(
                **common, direction=RANDOM, rank=1, curvature=math.nan, rayleigh=math.nan, residual=math.nan, bend=math.nan,
                **flips(ctx.forward, images, v, limit), **image_columns(v, kept=False),
            )
        )  # fmt: skip
    return rows


NOT_FOLLOWED = {"images": 0, "flipped": math.nan, "flip_norm": math.nan}


def followed_ranks(curvatures: list[float], count: int) -> set[int]:
    """Places in a descending list of `count` positive values and as many negative ones, evenly in the logarithm of their rank.

    >>> sorted(followed_ranks([5.0, 4.0, 3.0, 0.0, -1.0, -2.0], 2))
    [0, 2, 4, 5]
    """
    positive, negative = sum(c > 0 for c in curvatures), sum(c < 0 for c in curvatures)
    ends = [{int(rank) - 1 for rank in np.geomspace(1, n, count).round()} if n else set() for n in (positive, negative)]
    return ends[0] | {len(curvatures) - 1 - rank for rank in ends[1]}


def overlap(halves: list[CurvatureBasis], part: slice) -> float:
    """Mean squared cosine of the principal angles between the spans of the same part of two bases; NaN without them."""
    if not halves or not halves[0].directions[part].numel():
        return math.nan
    a, b = (half.directions[part].double() for half in halves)
    return float((a @ b.T).square().sum() / len(a))


def random_direction(ctx: NetworkContext, target: int) -> Tensor:
    """(1, C, H, W) of unit length, on the device."""
    v = np.random.default_rng([ctx.settings.run.seed, target, 784]).standard_normal(ctx.data.shape)
    return torch.from_numpy(v / np.linalg.norm(v)).float()[None].to(ctx.device)


def flips(forward: Callable[[Tensor], Tensor], images: Tensor, v: Tensor, limit: float) -> dict[str, Any]:
    """Columns of a row: over (n, C, H, W) images, how far along a unit direction (1, C, H, W) the prediction changes first.

    The lengths tried on both sides grow by sqrt(2) up to the limit, and the interval in which the prediction changes is halved:
    a class that is left and entered again between two lengths is not seen.
    """
    labels = forward(images).argmax(1)
    both, clean = torch.cat([images, images]), labels.repeat(2)
    sides = torch.cat([torch.ones_like(labels), -torch.ones_like(labels)]).to(images.dtype)

    def changed(lengths: Tensor, rows: Tensor) -> Tensor:
        x = both[rows] + (sides[rows] * lengths).view(-1, 1, 1, 1) * v
        return forward(x).argmax(1) != clean[rows]

    upper = torch.full_like(sides, math.inf)
    lower = torch.zeros_like(sides)
    rows = torch.arange(len(sides), device=sides.device)
    for i in range(LENGTHS):
        length = limit / 2 ** ((LENGTHS - 1 - i) / 2)
        hit = changed(torch.full_like(sides[rows], length), rows)
        upper[rows[hit]] = length
        rows = rows[~hit]
        lower[rows] = length
    rows = upper.isfinite().nonzero().flatten()
    for _ in range(BISECTIONS if len(rows) else 0):
        middle = (lower[rows] + upper[rows]) / 2
        hit = changed(middle, rows)
        upper[rows] = torch.where(hit, middle, upper[rows])
        lower[rows] = torch.where(hit, lower[rows], middle)
    nearest = upper.view(2, -1).amin(0).cpu().double()
    flipped = float(nearest.isfinite().double().mean())
    return {"images": len(images), "flipped": flipped, "flip_norm": float(np.median(nearest.numpy()))}
