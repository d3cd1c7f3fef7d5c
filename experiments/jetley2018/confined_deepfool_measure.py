"""Runs DeepFool in the span of singular directions, and projects the images onto it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from advlab.attacks.norms import norms_of_each
from advlab.attacks.results import AttackResult
from advlab.attacks.status import Status
from advlab.geometry.singular_directions import SingularDirections
from advlab.geometry.subspaces import Subspace
from advlab.lab import Cell, NetworkContext
from advlab.plotting.pixels import encode

from .confined_deepfool import WHOLE, ConfinedDeepFool, ConfinedRow
from .curvature_stages import measured_samples
from .disjoint_images import images_of_bases
from .predictions_measure import predicted
from .resampled_space import ResampledSpace
from .singular_stages import authors_deepfool, singular_basis, singular_facts, singular_mean
from .singular_subspaces import basis_of


def prepare(experiment: ConfinedDeepFool, ctx: NetworkContext) -> dict[str, Any]:
    """The attacked samples, and the largest number of directions that the perturbations can have."""
    params = experiment.params
    space = ResampledSpace(ctx.data.shape, params.resampled_to)
    _, chosen = images_of_bases(ctx, params.perturbations)
    return {"samples": measured_samples(ctx, params.samples), "limit": min(len(chosen), space.dimensions)}


def measure(experiment: ConfinedDeepFool, ctx: NetworkContext, cell: Cell) -> list[ConfinedRow]:
    """A row for each image; none if there are no more than `d` directions (then the cell `all` has them)."""
    params, subspace = experiment.params, cell.payload["subspace"]
    found, facts = singular_basis(ctx, params.source), singular_facts(ctx, params.source)
    if cell.payload["d"] >= found.rank:
        return []
    space = ResampledSpace(ctx.data.shape, params.resampled_to)
    x, _ = ctx.images_and_labels(ctx.prepared["samples"])
    classes, mean = predicted(ctx.forward, x), singular_mean(ctx, params.source)
    confined = None if subspace == WHOLE else confined_to(ctx, space, found, subspace, cell.payload["d"] or found.rank)
    attack = authors_deepfool(params.candidates)
    if confined is None:
        result = ctx.attack(attack, x, classes)
    else:
        result = ctx.attack(attack, x, classes, basis=confined.basis.T.contiguous())
    delta, deviation = result.adv - x, x - mean
    projection = deviation if confined is None else confined.project(deviation)
    longest = params.cap * math.sqrt(x[0].numel())
    common: dict[str, Any] = {
        "subspace": subspace, "d": x[0].numel() if confined is None else len(confined.basis), "rank": found.rank,
        "dimensions": space.dimensions, "perturbations": facts["perturbations"],
        **dict(zip(("channels", "height", "width"), ctx.data.shape, strict=True)),
    }  # fmt: skip
    columns = {
        "predicted": classes, "steps": result.steps, "l2": norms_of_each(delta, "l2"),
        "outside": outside(confined, delta), "projected": norms_of_each(projection, "l2"),
    }  # fmt: skip
    lists = {name: values.tolist() for name, values in columns.items()}
    rows = []
    for i, sample in enumerate(ctx.prepared["samples"]):
        one = {name: values[i] for name, values in lists.items()}
        outcome = outcome_of(result, i, one["l2"], longest)
        one |= {} if outcome == "success" else {"l2": math.nan, "outside": math.nan}
        drawn = cell.payload["drawn"] and i < params.pictures
        pictures = (difference(delta[i]), grey(projection[i] + mean)) if drawn else ("", "")
        rows.append(
            ConfinedRow(
                sample=sample, outcome=outcome, perturbation=pictures[0], projection=pictures[1], **common, **one
            )
        )
    return rows


def confined_to(
    ctx: NetworkContext, space: ResampledSpace, found: SingularDirections, subspace: str, d: int
) -> Subspace:
    """The subspace of images: of directions of resampled images, what they are at the images' own size, orthonormal again."""
    basis = basis_of(ctx, found, subspace, d)
    if space.dimensions != ctx.values_per_image:
        large = space.images(basis).flatten(1)
        basis = torch.linalg.qr(large.double().T).Q.T.to(basis).contiguous()
    return Subspace(basis)


def outside(confined: Subspace | None, delta: Tensor) -> Tensor:
    """(n,) ||(I - QQ')r|| / ||r|| of perturbations (n, C, H, W); NaN without a subspace."""
    if confined is None:
        return delta.new_full((len(delta),), torch.nan)
    return norms_of_each(delta - confined.project(delta), "l2") / norms_of_each(delta, "l2")


def outcome_of(result: AttackResult, i: int, l2: float, longest: float) -> str:
    """How DeepFool ended on image i: a success that is longer than `longest` is capped."""
    if not bool(result.success[i]):
        return Status(int(result.status[i])).name.lower()
    return "success" if l2 <= longest else "capped"


def difference(delta: Tensor) -> str:
    """A perturbation (C, H, W) as an image: 0 as grey, its largest change as black or white; empty if it is not finite."""
    largest = float(delta.abs().max())
    if not 0 < largest < math.inf:
        return ""
    return grey(0.5 + delta / (2 * largest))


def grey(image: Tensor) -> str:
    """An image (C, H, W), cut to [0, 1], in whole grey levels as text."""
    return encode((image.clamp(0, 1) * 255).round().byte().cpu().numpy())
