"""Draws vectors of the high-curvature subspaces and measures how many images they and UAPs fool."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.geometry.subspaces import orthonormal_rows
from advlab.lab import Cell, NetworkContext

from .chosen_basis import is_curved, singular_source
from .curvature_params import measured_samples
from .curvature_stages_measure import curvature_basis
from .curved_universal import UNIVERSAL, CurvedUniversal, UniversalRow, drawn_kinds
from .missing_classes import classes_with_points, names_of_others
from .singular_stages import singular_basis
from .universal_stage_measure import source_samples

RANK = 1e-3  # singular values below so much of the largest span nothing


def prepare(experiment: CurvedUniversal, ctx: NetworkContext) -> dict[str, Any]:
    """The mean norm of the images of the UAP."""
    x, _ = source_samples(ctx, experiment.params.uap_images)
    return {"norm": float(x.cpu().double().flatten(1).norm(dim=1).mean())}


def measure(experiment: CurvedUniversal, ctx: NetworkContext, cell: Cell) -> list[UniversalRow]:
    """The rows of one length."""
    params, share = experiment.params, cell.payload["share"]
    length = share * ctx.prepared["norm"]
    images, _ = ctx.images_and_labels(measured_samples(ctx, params.samples))
    clean = ctx.forward(images).argmax(1)
    kinds = drawn_kinds(params)
    targets = experiment.targets(ctx)
    known = classes_with_points(ctx, params, targets) if is_curved(params) else targets
    told: dict[str, Any] = {"classes": len(known), "without": names_of_others(ctx, known, targets)}
    spans = dict(zip(kinds, spans_of(experiment, ctx, known), strict=False))
    rows = []

    def add(kind: str, draw: int, v: Tensor, dimensions: int) -> None:
        moved = images + v.view(1, *ctx.data.shape).to(images)
        fooled = float((ctx.forward(moved).argmax(1) != clean).double().mean())
        rows.append(UniversalRow(kind, draw, share, length, dimensions, len(images), fooled, **told))

    for i, kind in enumerate(kinds):
        for draw in range(params.draws):
            generator = np.random.default_rng([ctx.settings.run.seed, i, draw])  # the same direction at every length
            dimensions = len(spans[kind]) if kind in spans else ctx.values_per_image
            weights = torch.from_numpy(generator.standard_normal(dimensions))
            v = weights @ spans[kind] if kind in spans else weights
            add(kind, draw, v * (length / v.norm()), dimensions)
    universal = torch.from_numpy(ctx.stage(f"uap-{cell.payload['place']}").arrays["universal"]).double()
    norm = universal.norm()
    add(UNIVERSAL, 0, universal * (length / norm if norm > 0 else 0.0), ctx.values_per_image)
    return rows


def spans_of(experiment: CurvedUniversal, ctx: NetworkContext, targets: list[int]) -> tuple[Tensor, Tensor]:
    """(r, D) float64 orthonormal rows on the CPU with the span of the first directions of these classes, and of the last ones."""
    params = experiment.params
    if source := singular_source(params):
        found = singular_basis(ctx, source)
        first, last = (part(params.top * len(targets)).cpu().double() for part in (found.high, found.low))
        return first, last
    bases = [curvature_basis(ctx, target) for target in targets]
    top = min(params.top, min(len(basis.directions) for basis in bases) // 2)
    first, last = (
        orthonormal_rows(torch.cat([basis.directions[part] for basis in bases]).cpu().double(), RANK)
        for part in (slice(0, top), slice(-top, None))
    )
    return first, last
