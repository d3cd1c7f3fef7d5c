"""Measures the angles between curved directions and the singular vectors of perturbations and gradients."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from advlab.geometry.subspaces import orthonormal_rows, overlap, principal_angles, random_subspace, selected_directions
from advlab.lab import Cell, NetworkContext

from .basis_angles import ALL, SOURCES, BasisAngles, BasisAnglesRow
from .curvature_stages_measure import curvature_basis
from .missing_classes import classes_with_points, names_of_others
from .singular_stages import singular_basis
from .subspaces_measure import derived_seed


def measure(experiment: BasisAngles, ctx: NetworkContext, cell: Cell) -> list[BasisAnglesRow]:
    """The rows of one d."""
    d, targets = cell.payload["d"], range(len(ctx.data.classes))
    known = classes_with_points(ctx, experiment.params, targets)
    told: dict[str, Any] = {"classes": len(known), "without": names_of_others(ctx, known, targets)}
    singular = {source: singular_basis(ctx, source).high(d * len(known)) for source in SOURCES}  # type: ignore[arg-type]
    rows = []
    for kind in experiment.kinds(ctx):
        of_classes = [directions(ctx, kind, d, c) for c in known]
        bases = [*zip(known, of_classes, strict=True), (ALL, orthonormal_rows(torch.cat(of_classes)))]
        for source, vectors in singular.items():
            rows += [row(kind, source, d, target, told, basis, vectors) for target, basis in bases]
    rows.append(row("deepfool", "gradient", d, ALL, told, singular["deepfool"], singular["gradient"]))
    return rows


def directions(ctx: NetworkContext, kind: str, d: int, target: int) -> Tensor:
    """(d, D) orthonormal directions of a class."""
    seed = derived_seed(ctx.settings.run.seed, d, target)
    basis = curvature_basis(ctx, target)
    if kind == "random":
        return random_subspace(d, basis.directions.shape[1], seed).to(basis.directions)
    return selected_directions(basis.curvatures, basis.directions, kind, d, seed=seed)  # type: ignore[arg-type]


def row(
    kind: str, source: str, d: int, target: int, told: dict[str, Any], basis: Tensor, vectors: Tensor
) -> BasisAnglesRow:
    """The row of a class's directions (r, D), or of all classes', and singular vectors (k, D)."""
    angles = principal_angles(basis, vectors)
    dimension = basis.shape[1]
    return BasisAnglesRow(
        directions=kind, source=source, d=d, target=target, **told, rank=len(basis), singular=len(vectors),
        dimension=dimension, overlap=overlap(basis, vectors), expected=max(len(basis), len(vectors)) / dimension,
        smallest_angle=math.degrees(float(angles.min())), median_angle=math.degrees(float(angles.median())),
    )  # fmt: skip
