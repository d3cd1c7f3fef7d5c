"""Measures the angles between curved directions and the singular vectors of perturbations and gradients."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from advlab.geometry.subspaces import orthonormal_rows, overlap, principal_angles, random_subspace, selected_directions
from advlab.lab import Cell, NetworkContext

from .basis_angles import ALL, SOURCES, BasisAngles, BasisAnglesRow
from .curvature_stages_measure import curvature_basis
from .singular_stages import singular_basis
from .subspaces_measure import derived_seed


def measure(experiment: BasisAngles, ctx: NetworkContext, cell: Cell) -> list[BasisAnglesRow]:
    """The rows of one d."""
    d, classes = cell.payload["d"], len(ctx.data.classes)
    singular = {source: singular_basis(ctx, source).high(d * classes) for source in SOURCES}  # type: ignore[arg-type]
    rows = []
    for kind in experiment.kinds(ctx):
        of_classes = [directions(ctx, kind, d, c) for c in range(classes)]
        targets = [*enumerate(of_classes), (ALL, orthonormal_rows(torch.cat(of_classes)))]
        for source, vectors in singular.items():
            rows += [row(kind, source, d, target, classes, basis, vectors) for target, basis in targets]
    rows.append(row("deepfool", "gradient", d, ALL, classes, singular["deepfool"], singular["gradient"]))
    return rows


def directions(ctx: NetworkContext, kind: str, d: int, target: int) -> Tensor:
    """(d, D) orthonormal directions of a class."""
    seed = derived_seed(ctx.settings.run.seed, d, target)
    basis = curvature_basis(ctx, target)
    if kind == "random":
        return random_subspace(d, basis.directions.shape[1], seed).to(basis.directions)
    return selected_directions(basis.curvatures, basis.directions, kind, d, seed=seed)  # type: ignore[arg-type]


def row(kind: str, source: str, d: int, target: int, classes: int, basis: Tensor, vectors: Tensor) -> BasisAnglesRow:
    """The row of a class's directions (r, D), or of all classes', and singular vectors (k, D)."""
    angles = principal_angles(basis, vectors)
    dimension = basis.shape[1]
    return BasisAnglesRow(
        directions=kind, source=source, d=d, target=target, classes=classes, rank=len(basis), singular=len(vectors),
        dimension=dimension, overlap=overlap(basis, vectors), expected=max(len(basis), len(vectors)) / dimension,
        smallest_angle=math.degrees(float(angles.min())), median_angle=math.degrees(float(angles.median())),
    )  # fmt: skip
