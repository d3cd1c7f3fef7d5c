"""Measures figure 3, bottom row: the share of each perturbation in each subspace, and the accuracy there."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.geometry.subspaces import Subspace, random_share
from advlab.lab import Cell, NetworkContext, Stage

from .curvature_stages import measured_samples
from .perturbation_stages_measure import perturbation_stage
from .predictions_measure import predictions
from .subspace_norms import SubspaceNorms, SubspaceNormsRow
from .subspaces_measure import spanned_subspaces

CHUNK = 1 << 24  # values of the perturbations that are on the device at once


def perturbation_stages(experiment: SubspaceNorms, ctx: NetworkContext) -> list[Stage]:
    """The perturbations of each kind."""
    return [perturbation_stage(ctx, experiment.params, kind) for kind in experiment.params.perturbations]


def measure(experiment: SubspaceNorms, ctx: NetworkContext, cell: Cell) -> list[SubspaceNormsRow]:
    """The rows of all subspaces of one d."""
    params, d, rows = experiment.params, cell.payload["d"], []
    samples = measured_samples(ctx, params.test_images)
    for spanned in spanned_subspaces(ctx, params, d):
        found, labels = predictions(ctx, ctx.data, samples, spanned.subspace.project)
        correct, rank = int((found == labels).sum()), len(spanned.subspace.basis)
        for kind in params.perturbations:
            arrays = ctx.stage(kind).arrays
            shares = shares_in(spanned.subspace, torch.from_numpy(arrays["delta"]), ctx.device)
            groups = torch.from_numpy(arrays["groups"])
            for group in groups.unique().tolist():
                own = shares[groups == group]
                own = own[~own.isnan()]  # a perturbation of 0 has none
                rows.append(
                    SubspaceNormsRow(
                        subspace=spanned.kind, d=d, draw=spanned.draw, perturbation=kind, group=group,
                        classes=spanned.classes, without=spanned.without, rank=rank,
                        dimension=ctx.values_per_image, perturbations=len(own), share=float(own.double().mean()),
                        expected=random_share(rank, ctx.values_per_image), accuracy_images=len(labels), correct=correct,
                    )
                )  # fmt: skip
    return rows


def shares_in(subspace: Subspace, delta: Tensor, device: torch.device) -> Tensor:
    """(n,) shares of the norms of perturbations (n, D) in a subspace, on the CPU."""
    parts = delta.split(max(1, CHUNK // max(delta.shape[1], 1)))
    return torch.cat([subspace.share(part.to(device)).cpu() for part in parts])
