"""Spans the subspaces of figure 3 from the curvature bases of all classes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from advlab.data.images import ImageData
from advlab.geometry.mean_hessian import MeanHessian
from advlab.geometry.subspaces import (
    Selection,
    Subspace,
    orthonormal_rows,
    random_subspace,
    selected_directions,
    selected_indices,
)
from advlab.lab import Arrays, NetworkContext, Stage

from .chosen_basis import basis_ids, basis_stages, is_curved, singular_source
from .curvature_stages import source_images
from .curvature_stages_measure import boundary_points, curvature_basis, length_of_step
from .missing_classes import classes_with_points, names_of_others
from .singular_stages import singular_basis
from .subspace_family import Kind, SubspaceParams, kinds_of

MEAN = "mean-image"  # id of the stage of the mean training image


class Spanned(NamedTuple):
    """A subspace and what it is spanned by."""

    kind: Kind
    draw: int  # of a random one, from 0
    subspace: Subspace
    directions: int  # of all classes together; those that depend on others add nothing to the rank
    curvature: float  # mean magnitude of the curvatures of the directions; nan where it was not measured
    classes: int  # C, that directions are taken of
    without: str  # names of the classes that have none


def subspace_stages(ctx: NetworkContext, params: SubspaceParams) -> list[Stage]:
    """The curvature bases of all classes, or another basis, and the mean training image."""
    images, samples = source_images(ctx)
    key = ctx.key(images=images, version=1, samples=len(samples), seed=ctx.settings.run.seed)
    mean = Stage(MEAN, key, partial(mean_image, images, samples), kind="mean_training_image")
    return [*basis_stages(ctx, params, range(len(ctx.data.classes))), mean]


def needed_stages(ctx: NetworkContext, params: SubspaceParams) -> tuple[str, ...]:
    """Ids of the stages that a cell with all subspaces asks for."""
    return (*basis_ids(params, range(len(ctx.data.classes)), points=True), MEAN)


def mean_image(images: ImageData, samples: Sequence[int]) -> tuple[Arrays, dict[str, Any]]:
    """The array `mean` (C, H, W) float64 in [0, 1] of the images of those indices."""
    return {"mean": images.mean_image(indices=torch.tensor(list(samples))).numpy()}, {}


def kept_mean(ctx: NetworkContext) -> Tensor:
    """(C, H, W) float32 on the run's device; the cell names the stage `MEAN`."""
    return torch.from_numpy(ctx.stage(MEAN).arrays["mean"]).float().to(ctx.device)


def spanned_subspaces(ctx: NetworkContext, params: SubspaceParams, d: int) -> Iterator[Spanned]:
    """The subspaces of d directions of each class, one after the other.

    Random ones, and those of singular vectors, have d times the classes dimensions, D or the singular vectors' rank at most. All
    have the same mean. Classes without boundary points span nothing, and count for nothing.

    Raises:
        MeasurementError: no class has any.
    """
    size, seed = ctx.values_per_image, ctx.settings.run.seed
    mean = kept_mean(ctx) if params.centred else None
    known = range(len(ctx.data.classes))
    classes = classes_with_points(ctx, params, known) if is_curved(params) else list(known)
    told: dict[str, Any] = {"classes": len(classes), "without": names_of_others(ctx, classes, known)}
    source = singular_source(params)
    found = singular_basis(ctx, source) if source else None
    together = min(d * len(classes), found.rank if found else size)
    bases = [curvature_basis(ctx, c) for c in classes] if is_curved(params) else []
    for kind in kinds_of(params, size):
        if kind == "random":
            for draw in range(params.draws):
                rows = random_subspace(together, size, derived_seed(seed, d, draw))
                subspace = Subspace(rows.float().to(ctx.device), mean)
                yield Spanned(kind, draw, subspace, d * len(classes), math.nan, **told)
            continue
        if kind in ("hi", "lo") and found:
            rows = found.high(together) if kind == "hi" else found.low(together)
            yield Spanned(kind, 0, Subspace(rows, mean), len(rows), math.nan, **told)
            continue
        chosen, magnitudes, selection = [], [], cast(Selection, kind)
        for c, basis in zip(classes, bases, strict=True):
            taken = selected_directions(basis.curvatures, basis.directions, selection, d, seed=derived_seed(seed, d, c))
            chosen.append(taken)
            if kind == "complement":
                magnitudes.append(measured_curvatures(ctx, params, c, taken))
            else:
                magnitudes.append(basis.curvatures[selected_indices(basis.curvatures, selection, d)].abs())
        directions, curvatures = torch.cat(chosen), torch.cat(magnitudes)
        mean_curvature = float(curvatures.mean()) if len(curvatures) else math.nan
        yield Spanned(kind, 0, Subspace(orthonormal_rows(directions), mean), len(directions), mean_curvature, **told)


def measured_curvatures(ctx: NetworkContext, params: SubspaceParams, target: int, directions: Tensor) -> Tensor:
    """(k,) |v'Hv| of unit vectors (k, D) by the mean Hessian of a class at its boundary points."""
    if not len(directions):
        return directions.new_zeros(0)
    points, sources = boundary_points(ctx, target)
    step = length_of_step(ctx, params)

    def call(batch_size: int) -> tuple[Tensor, int]:
        operator = MeanHessian(
            ctx.attack_target, points, target, sources, step=step, hessian=params.hessian, batch_size=batch_size
        )
        return (operator.products(directions) * directions).sum(1).abs(), operator.gradients

    (curvatures, gradients), _ = ctx.forward.in_batches(call)
    ctx.count(forwards=gradients, backwards=gradients)
    return curvatures


def derived_seed(*numbers: int) -> int:
    """A seed of several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
