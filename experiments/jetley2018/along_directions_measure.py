"""Scores of one class along its curvature directions: the directions, the range of s, and the sweep over images and lengths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from advlab.errors import MeasurementError
from advlab.geometry.mean_hessian import CurvatureBasis
from advlab.lab import Arrays, NetworkContext

from .chosen_basis import BasisParams, is_curved, singular_source
from .curvature_stages_measure import curvature_basis
from .missing_classes import has_points
from .saturation import ladder, nothing_moves, range_id, saturated_range
from .singular_stages import singular_basis

CHUNK = 1000  # images that are held at once


class Direction(NamedTuple):
    """A unit vector of a class.

    Attributes:
        kind: positive, negative, flat, complement, hi, lo or random.
        vector: (C, H, W) float32, of length 1, on the run's device.
        curvature: its eigenvalue; NaN where it has none.
    """

    kind: str
    vector: Tensor
    curvature: float


class Scores(NamedTuple):
    """Scores at n images and m lengths, each an (n, m) numpy array.

    Attributes:
        target: logit of the class.
        other: largest logit of the other classes.
        prediction: class.
        probability: softmax of the class.
    """

    target: np.ndarray[Any, Any]
    other: np.ndarray[Any, Any]
    prediction: np.ndarray[Any, Any]
    probability: np.ndarray[Any, Any]


def direction_of(ctx: NetworkContext, params: BasisParams, target: int, kind: str, index: int) -> Direction:
    """The `index`-th most positively or negatively curved direction of a class, its `index`-th flattest, or a random one.

    Of singular vectors, which are those of all classes: the one of the `index`-th largest (hi) or smallest (lo) singular value.

    Flat directions are the eigenvectors with the smallest |lambda| of a full basis. The pairs of either end do not tell which
    directions are flat: then it is a random one of their orthogonal complement, whose kind is `complement`.
    """
    if kind == "random":
        return Direction(kind, random_unit(ctx, target, index - 1), np.nan)
    if source := singular_source(params):
        found = singular_basis(ctx, source)
        if index > found.rank:
            raise MeasurementError(
                f"the vectors of basis={source} have {found.rank} singular directions: type "
                f"experiment.directions={found.rank}, or a larger experiment.basis_images"
            )
        row = index - 1 if kind == "hi" else found.rank - index
        return Direction(kind, found.directions[row].reshape(ctx.data.shape), np.nan)
    basis = curvature_basis(ctx, target)
    size, full = len(basis.directions), len(basis.directions) == ctx.values_per_image
    if kind == "flat" and not full:
        return Direction("complement", random_unit(ctx, target, index, apart_from=basis), np.nan)
    if kind == "flat":
        row = int(np.argsort(basis.curvatures.abs().cpu().numpy(), kind="stable")[index - 1])
    else:
        row = index - 1 if kind == "positive" else size - index
    vector = basis.directions[row].to(ctx.device, torch.float32).reshape(ctx.data.shape)
    return Direction(kind, vector / vector.norm(), float(basis.curvatures[row]))


def random_unit(ctx: NetworkContext, target: int, index: int, apart_from: CurvatureBasis | None = None) -> Tensor:
    """(C, H, W) uniformly distributed unit vector, orthogonal to the directions of a basis if one is given."""
    draws = np.random.default_rng([ctx.settings.run.seed, target, index]).normal(size=ctx.values_per_image)
    vector = torch.from_numpy(draws)
    if apart_from is not None:
        rows = apart_from.directions.cpu().double()
        vector = vector - (rows @ vector) @ rows
    return (vector / vector.norm()).to(ctx.device, torch.float32).reshape(ctx.data.shape)


def scores_along(
    forward: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor, lengths: Sequence[float], target: int
) -> Scores:
    """The scores of a class at x + s d, for each image and each length s; images are not clipped.

    Args:
        forward: (n, C, H, W) images to (n, K) logits.
        x: (n, C, H, W) images.
        direction: (C, H, W) d, of length 1.
        lengths: of s, of which negative ones are steps against d.
        target: the class.
    """
    return joined([scores_of(forward(x + float(s) * direction), target) for s in lengths], axis=1)


def scores_of(logits: Tensor, target: int) -> Scores:
    """Scores of (n, K) logits, as arrays (n, 1)."""
    others = logits.clone()
    others[:, target] = -torch.inf
    probability = torch.softmax(logits, 1)[:, target]
    columns = (logits[:, target], others.amax(1), logits.argmax(1), probability)
    return Scores(*(column.cpu().numpy()[:, None] for column in columns))


def joined(parts: Sequence[Scores], *, axis: int) -> Scores:
    """Scores of several lengths (`axis` 1) or images (0) in one."""
    return Scores(*(np.concatenate(columns, axis=axis) for columns in zip(*parts, strict=True)))


def shares_at_doubled_lengths(
    ctx: NetworkContext, params: BasisParams, target: int, kinds: Sequence[str], samples: list[int], cap: float
) -> tuple[Arrays, dict[str, Any]]:
    """What the range of s is found from: who is moved into the class, and who stays in it, at doubled lengths.

    Returns:
        lengths: (7,) up to cap sqrt(D).
        shares: (7, 4 k) along the first direction of each of k kinds, of curvature bases the most positive and the most negative
            one, at s and at -s: the share of the samples of other classes that are in the class, and of its own that stay; 0
            without such samples, and of a class without directions.
    """
    lengths = ladder(cap * float(np.sqrt(ctx.values_per_image)))
    if is_curved(params) and not has_points(ctx, target):
        return {"lengths": lengths, "shares": np.zeros((len(lengths), 4 * len(kinds)))}, {}
    signed = [0.0, *lengths, *(-lengths)]
    x, _ = ctx.images_and_labels(samples)
    shares = []
    for kind in kinds:
        direction = direction_of(ctx, params, target, kind, 1)
        inside = scores_along(ctx.forward, x, direction.vector, signed, target).prediction == target
        own = inside[:, 0]
        for group in (~own, own):
            share = inside[group, 1:].mean(0) if group.any() else np.zeros(2 * len(lengths))
            shares += [share[: len(lengths)], share[len(lengths) :]]
    return {"lengths": lengths, "shares": np.stack(shares, 1)}, {}


def range_of(ctx: NetworkContext, target: int, *, given: float, saturation: float) -> tuple[float, bool]:
    """The longest |s| of a class, and whether all shares are saturated there.

    Args:
        ctx: of the cell, whose stages hold the class's shares at doubled lengths unless a range is given.
        target: the class.
        given: the range that is asked for, which counts as saturated; 0: up to saturation, or up to the longest length where
            nothing moves.
        saturation: largest difference between shares that are the same.
    """
    if given:
        return given, True
    arrays = ctx.stage(range_id(target)).arrays
    if nothing_moves(arrays["shares"], saturation):
        return float(arrays["lengths"][-1]), False
    return saturated_range(arrays["lengths"], arrays["shares"], saturation)


def lengths_of(longest: float, steps: int) -> np.ndarray[Any, Any]:
    """(2 steps + 1,) equally spaced s from -longest to longest, with 0 in the middle."""
    return longest * np.arange(-steps, steps + 1) / steps


def grey_direction(direction: Tensor) -> Tensor:
    """(1, C, H, W) a direction as an image: 0 is grey, the largest magnitude black or white."""
    return (0.5 + 0.5 * direction / direction.abs().max()).clamp(0, 1)[None]
