"""Classifies images that are projected onto singular directions, at their own size or at the size that these have."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from advlab.geometry.subspaces import Subspace
from advlab.lab import Cell, NetworkContext

from .curvature_stages import measured_samples
from .deepfool_svd import SUBSPACES, DeepFoolSvd, DeepFoolSvdRow
from .disjoint_images import images_of_bases
from .predictions_measure import predictions
from .resampled_space import ResampledSpace
from .singular_stages import singular_basis, singular_facts, singular_mean
from .singular_subspaces import basis_of


def prepare(experiment: DeepFoolSvd, ctx: NetworkContext) -> dict[str, Any]:
    """The measured samples, and the largest number of directions that the perturbations can have."""
    params = experiment.params
    space = ResampledSpace(ctx.data.shape, params.resampled_to)
    _, chosen = images_of_bases(ctx, params.perturbations)
    return {"samples": measured_samples(ctx, params.samples), "limit": min(len(chosen), space.dimensions)}


def measure(experiment: DeepFoolSvd, ctx: NetworkContext, cell: Cell) -> list[DeepFoolSvdRow]:
    """A row for each subspace of `d` directions; none if there are no more than `d` (then the cell `all` has them)."""
    params = experiment.params
    found, facts = singular_basis(ctx, params.source), singular_facts(ctx, params.source)
    space = ResampledSpace(ctx.data.shape, params.resampled_to)
    d = cell.payload["d"] or found.rank
    if cell.payload["d"] >= found.rank:
        return []
    unchanged = right(ctx)
    whole = right(ctx, lambda x: space.images(space.coordinates(x))) if params.resampled_to else unchanged
    mean = space.coordinates(singular_mean(ctx, params.source)[None])[0] if params.centred else None
    subspaces = {name: Subspace(basis_of(ctx, found, name, d), mean) for name in SUBSPACES}
    answers = {name: right(ctx, projection(space, subspace)) for name, subspace in subspaces.items()}
    squares = found.values.double().square()
    energies = {"hi": squares[:d].sum() / squares.sum(), "lo": squares.flip(0)[:d].sum() / squares.sum()}
    return [
        DeepFoolSvdRow(
            subspace=name, d=d, dimensions=space.dimensions, rank=found.rank, perturbations=facts["perturbations"],
            images=len(here), correct=int(here.sum()), kept=int((here & whole).sum()),
            only_here=int((here & ~answers["hi"]).sum()), only_hi=int((answers["hi"] & ~here).sum()),
            whole=int(whole.sum()), unchanged=int(unchanged.sum()), energy=float(energies.get(name, math.nan)),
        )
        for name, here in answers.items()
    ]  # fmt: skip


def projection(space: ResampledSpace, subspace: Subspace) -> Callable[[Tensor], Tensor]:
    """Images (n, C, H, W) to their projections, at the images' own size."""
    return lambda x: space.images(subspace.project(space.coordinates(x)))


def right(ctx: NetworkContext, transform: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """(n,) bool on the CPU: whether the network classifies the measured images correctly, as they are or transformed."""
    found, labels = predictions(ctx, ctx.data, ctx.prepared["samples"], transform)
    return found == labels
