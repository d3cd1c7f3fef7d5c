"""Bases that need not be curved: what experiments take where any directions of image space will do (section 4.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from advlab.lab import NetworkContext, Stage

from .curvature_params import CurvatureParams, SingularBasis, curved_directions, points_id, stage_id
from .curvature_stages import curvature_stages
from .singular_stages import SingularParams, singular_id, singular_stage


@dataclass(frozen=True, kw_only=True)
class BasisParams(CurvatureParams):
    """Directions of each class by curvature; or of all classes together, which have neither curvature nor sign.

    `basis=deepfool` and `basis=gradient` are the singular vectors of training images' DeepFool perturbations and class-score
    gradients, those of the largest singular values (hi) and of the smallest (lo); `basis=random` are random directions.
    """

    basis_images: Annotated[int, Ge(1)] = 10_000  # training images, of basis=deepfool and basis=gradient
    candidates: Annotated[int, Ge(0)] = 0  # classes that DeepFool looks at for basis=deepfool, 0: all, as the authors'


def tiny_basis(preset: str) -> dict[str, int]:
    """What `run.preset=tiny` sets of these bases."""
    return {"experiment.basis_images": 60} if preset == "tiny" else {}


def is_curved(params: CurvatureParams) -> bool:
    """Whether the directions are those of the mean curvature of each class's boundary."""
    return params.basis in ("auto", "dense", "lanczos")


def singular_source(params: CurvatureParams) -> SingularBasis | None:
    """Of what the directions are the singular vectors; None: of nothing."""
    return params.basis if params.basis in ("deepfool", "gradient") else None


def basis_stages(ctx: NetworkContext, params: BasisParams, classes: Sequence[int]) -> list[Stage]:
    """The stages of the chosen basis: boundary points and curvature bases of the classes, singular vectors, or none."""
    if is_curved(params):
        return curvature_stages(ctx, params, classes)
    source = singular_source(params)
    singular = SingularParams(perturbations=params.basis_images, candidates=params.candidates)
    return [singular_stage(ctx, singular, source)] if source else []


def basis_ids(params: BasisParams, classes: Sequence[int], *, points: bool = False) -> tuple[str, ...]:
    """Ids of these stages for the cells that ask for the bases; `points`: and for the boundary points of curvature bases."""
    if is_curved(params):
        return (*(points_id(c) for c in classes if points), *(stage_id(c) for c in classes))
    source = singular_source(params)
    return (singular_id(source),) if source else ()


def directions_of_a_kind(params: BasisParams, size: int) -> int:
    """How many directions of one kind the basis of images of `size` values holds at most: of a class, or of all together."""
    if is_curved(params):
        return curved_directions(params, size)
    return min(params.basis_images, size) if singular_source(params) else size
