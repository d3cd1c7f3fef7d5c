"""What experiments of jetley2018 say of curvature bases: parameters, ids of their stages, images they are made of or not."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Le

from advlab.errors import ArgumentError, ConfigError, DataError
from advlab.lab import DataContext, InRange

if TYPE_CHECKING:  # loads torch
    from advlab.data.images import ImageData

log = logging.getLogger(__name__)
CurvedBasis = Literal["auto", "dense", "lanczos"]  # by the curvature of each class's boundary
SingularBasis = Literal["deepfool", "gradient"]  # singular vectors of stacked perturbations or class-score gradients
DENSE_VALUES = 784  # values of an image up to which basis=auto is dense


@dataclass(frozen=True, kw_only=True)
class CurvatureParams(InRange):
    """How the principal directions of a class are found; base of the parameters of experiments that need them."""

    points: Annotated[int, Ge(2)] = 100  # boundary points of a class (the authors' code)
    #: auto: dense of up to 784 values an image, Lanczos of more; dense takes up to 3072. Where directions need no curvature also
    #: deepfool, gradient or random
    basis: Literal[CurvedBasis, SingularBasis, "random"] = "auto"
    pairs: Annotated[int, Ge(1)] = (
        10  # of either end: so many most positive and so many most negative directions of lanczos
    )
    tolerance: Annotated[float, Gt(0), Le(1)] = (
        0.1  # relative, of lanczos; a smaller one costs twice as much and buys nothing
    )
    hessian: Literal["finite", "autograd"] = "finite"  # autograd: of smooth networks; it is 0 of piecewise linear ones
    #: length h of the finite step in [0, 1] pixels; authors: sqrt(D) (max - min of the mean-subtracted training images) / 51.2
    step: float | str = "authors"
    way: Annotated[float, Gt(0), Le(1)] = 0.8  # points lie at x + way r of targeted DeepFool's r (the authors' code)
    iterations: Annotated[int, Ge(1)] = 5  # of targeted DeepFool (the authors' code)

    def __post_init__(self) -> None:
        """Refuse values out of range, and a step that is neither a length nor the authors'.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if isinstance(self.step, str) and self.step != "authors":
            raise ArgumentError(f"step must be authors or a length above 0, got {self.step!r}")
        if not isinstance(self.step, str) and not 0 < self.step < math.inf:
            raise ArgumentError(f"step must be authors or a length above 0, got {self.step}")


@dataclass(frozen=True, kw_only=True)
class TargetParams(CurvatureParams):
    """Of which classes the bases are; base of the parameters of experiments that may take some of them."""

    classes: list[Annotated[int, Ge(0)]] = field(default_factory=list)  # target classes; none: all

    def __post_init__(self) -> None:
        """Refuse values out of range, and classes that are named twice.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if len(set(self.classes)) < len(self.classes):
            raise ArgumentError(f"classes must name each class once, got {self.classes}")

    def targets(self, known: int) -> list[int]:
        """The classes, among the `known` ones of the dataset; 0: their number is not known before it is loaded.

        Raises:
            ConfigError: the dataset has not one of them; names those that there are.
        """
        if known and max(self.classes, default=0) >= known:
            raise ConfigError(
                f"experiment.classes={self.classes}: the dataset has the classes 0 to {known - 1}: name some of them"
            )
        return self.classes or list(range(known))


def points_id(target: int) -> str:
    """Id of the stage with a class's boundary points, for cells that ask for `boundary_points`."""
    return f"points-{target}"


def stage_id(target: int, half: int | None = None) -> str:
    """Id of the stage with a class's curvature basis, for cells that ask for `curvature_basis`.

    Args:
        target: the class.
        half: 0 or 1: of a half of the points.
    """
    return f"curvature-{target}" if half is None else f"curvature-{target}-half-{half}"


def is_dense(params: CurvatureParams, size: int) -> bool:
    """Whether the bases of images of `size` values are dense, of all directions."""
    return params.basis == "dense" or (params.basis == "auto" and size <= DENSE_VALUES)


def curved_directions(params: CurvatureParams, size: int) -> int:
    """How many directions of one kind the curvature basis of a class holds, for images of `size` values."""
    return size if is_dense(params, size) else min(params.pairs, size // 2)


def source_images(ctx: DataContext) -> tuple[ImageData, list[int]]:
    """The images that bases and boundary points are made of, disjoint from those that are measured, and their indices.

    The training split; of a dataset without one, or where that is what is measured, the second half of the measured split in the
    run's seeded order.
    """
    train = training_images(ctx)
    if train is not None:
        return train, list(range(len(train)))
    return ctx.data, ctx.order()[len(ctx.data) // 2 :]


def measured_samples(ctx: DataContext, count: int = 0) -> list[int]:
    """Indices of the samples of the measured split that experiments of this paper measure, in the run's seeded order.

    Args:
        ctx: of the run.
        count: so many at most; 0: all: the split, or where `source_images` takes a half of it, the other half.
    """
    samples = ctx.order() if training_images(ctx) is not None else ctx.order()[: len(ctx.data) // 2]
    return samples[: count or None]


def training_images(ctx: DataContext) -> ImageData | None:
    """The training split, on the run's device; None: there is none, or it is (part of) what is measured."""
    if ctx.data.split in ("train", "all"):
        return None
    try:
        train = ctx.split("train")
    except DataError as error:
        warn_of_half(ctx.data.split, ctx.data.digest, str(error))
        return None
    return None if train.digest == ctx.data.digest else train


@lru_cache
def warn_of_half(split: str, digest: str, reason: str) -> None:
    """Say once of the images of a digest that half of them stand for training images."""
    log.warning("no training images (%s): half of %s stands for them, and the rest is measured", reason, split)
