"""Bases of the singular vectors of stacked DeepFool perturbations, or of class-score gradients, as a stage (section 4.3)."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge

from advlab.attacks import DeepFool
from advlab.lab import Cost, InRange, NetworkContext, Stage

from .disjoint_images import images_of_bases

if TYPE_CHECKING:  # these load torch, and experiments are declared without it
    from torch import Tensor

    from advlab.geometry.singular_directions import SingularDirections

Source = Literal["deepfool", "gradient"]


@dataclass(frozen=True, kw_only=True)
class SingularParams(InRange):
    """How bases of singular vectors are made; the base of the parameters of experiments that need them."""

    #: training images whose perturbations are stacked; the paper: those of an image set. A basis can span the image space only
    #: if they are more than its dimensions
    perturbations: Annotated[int, Ge(1)] = 10000
    source: Source = "deepfool"  # of the stacked vectors; gradient: of the predicted class's score (section 4.3)
    #: shorter side in pixels to which the vectors are resampled before the decomposition, 0: not at all (the paper: 100 and 120
    #: on ImageNet)
    resampled_to: Annotated[int, Ge(0)] = 0
    candidates: Annotated[int, Ge(0)] = 0  # classes that DeepFool looks at, 0: all, as the authors'


def authors_deepfool(candidates: int = 0) -> DeepFool:
    """DeepFool as the authors run it: all classes, overshoot .02, at most 100 iterations, images may leave the pixel range."""
    return DeepFool(max_iter=100, overshoot=0.02, flavour="matlab", clip="none", candidates=candidates)


def singular_id(source: Source = "deepfool") -> str:
    """The id of the stage, for `Cell(stages=...)`."""
    return f"singular-{source}"


def singular_stage(ctx: NetworkContext, params: SingularParams, source: Source | None = None) -> Stage:
    """The stage of a basis: made once for all experiments with the same images, network and parameters.

    Args:
        ctx: of the run.
        params: how it is made.
        source: None: that of `params`; for experiments that compare both.
    """
    source = source or params.source
    data, samples = images_of_bases(ctx, params.perturbations)
    attack = authors_deepfool(params.candidates)
    vectors = {"source": source, "attack": attack} if source == "deepfool" else {"source": source}
    key = ctx.key(version=1, images=data, vectors=vectors, samples=samples, resampled_to=params.resampled_to)
    forwards, backwards = attack.estimated_cost(len(ctx.data.classes)) if source == "deepfool" else (1, 1)
    make = importlib.import_module(f"{__package__}.singular_stages_measure").make  # loads torch
    return Stage(
        singular_id(source),
        key,
        partial(make, ctx, params, source),
        Cost(len(samples) * (forwards + 1), len(samples) * backwards),
        kind="singular_directions",
    )


def singular_basis(ctx: NetworkContext, source: Source = "deepfool") -> SingularDirections:
    """What the stage has made, in float32 on the run's device: of images, or of images resampled to `resampled_to`."""
    import torch

    from advlab.geometry.singular_directions import SingularDirections

    arrays = ctx.stage(singular_id(source)).arrays
    values, directions = (torch.as_tensor(arrays[name]).to(ctx.device) for name in ("values", "directions"))
    return SingularDirections(values, directions, len(values))


def singular_mean(ctx: NetworkContext, source: Source = "deepfool") -> Tensor:
    """(C, H, W) float32 mean training image in [0, 1], at the images' own size, on the run's device."""
    import torch

    return torch.as_tensor(ctx.stage(singular_id(source)).arrays["mean"]).to(ctx.device)


def singular_facts(ctx: NetworkContext, source: Source = "deepfool") -> dict[str, int]:
    """`perturbations`: rows of the matrix; `failed`: images without one; `dimensions`: D, of the resampled images."""
    return dict(ctx.stage(singular_id(source)).facts)
