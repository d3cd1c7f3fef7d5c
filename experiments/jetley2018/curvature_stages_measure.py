"""Makes the boundary points and curvature bases of algorithm 1 of jetley2018, and reads them back."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.attacks import DeepFool
from advlab.data.images import ImageData
from advlab.geometry.mean_hessian import (
    CurvatureBasis,
    MeanHessian,
    authors_step,
    dense_curvatures,
    lanczos_curvatures,
)
from advlab.lab import Arrays, NetworkContext

from .curvature_params import CurvatureParams, is_dense, points_id, source_images, stage_id

log = logging.getLogger(__name__)
DRAWN = 20  # images are drawn until there are enough points, but at most so many a point
RANGE_IMAGES = 60_000  # that the authors' step looks at, at most: all of MNIST, a part of ImageNet
#: digest and indices of images -> `centred_range`, for reading many files takes long
KNOWN_RANGES: dict[tuple[str, tuple[int, ...]], tuple[float, float]] = {}


def attack_of(params: CurvatureParams) -> DeepFool:
    """The authors' targeted DeepFool."""
    return DeepFool(flavour="matlab", overshoot=0.05, clip="none", max_iter=params.iterations)


def make_points(ctx: NetworkContext, params: CurvatureParams, target: int) -> tuple[Arrays, Mapping[str, Any]]:
    """Arrays and facts of the stage of boundary points: `points` (n, C, H, W), `sources` (n,) and `samples` (n,).

    Images are drawn until `params.points` of them that are not predicted as the target have been moved into it. Of fewer than
    two the class has none: the arrays are empty, and the fact `missing` says why.
    """
    images, samples = source_images(ctx)
    order = np.random.default_rng([ctx.settings.run.seed, target]).permutation(samples)[: DRAWN * params.points]
    made: list[tuple[Tensor, Tensor, Tensor]] = []
    found = tried = 0
    for start in range(0, len(order), 2 * params.points):
        if found >= params.points:
            break
        drawn = torch.from_numpy(order[start : start + 2 * params.points])
        x = images.images(drawn)
        predictions = ctx.forward(x).argmax(1)
        others = predictions != target
        x, sources = x[others], predictions[others]
        tried += len(x)
        if not len(x):
            continue
        result = ctx.attack(attack_of(params), x, sources, targets=torch.full_like(sources, target))
        points = x + params.way * (result.adv - x)
        made.append((points[result.success], sources[result.success], drawn.to(x.device)[others][result.success]))
        found += len(made[-1][0])
    if found < 2:
        nothing = {
            "points": np.empty((0, *images.shape), np.float32),
            **dict.fromkeys(("sources", "samples"), np.empty(0, int)),
        }
        reason = f"targeted DeepFool moved {found} of {tried} images into it, and two boundary points are the least"
        if not tried:
            reason = f"the network puts all of {len(order)} images into it, so that none of them can be moved into it"
        return nothing, {"points": 0, "tried": tried, "moved": found, "missing": reason}
    if found < params.points:
        log.warning("class %s: %d boundary points of %d", images.class_name(target), found, params.points)
    points, sources, drawn = (torch.cat(parts)[: params.points].cpu() for parts in zip(*made, strict=True))
    arrays = {"points": points.numpy(), "sources": sources.numpy(), "samples": drawn.numpy()}
    return arrays, {"points": len(points), "tried": tried, "moved": found}


def make_basis(
    ctx: NetworkContext, params: CurvatureParams, target: int, half: int | None
) -> tuple[Arrays, Mapping[str, Any]]:
    """Arrays and facts of the stage of a curvature basis: the fields of `CurvatureBasis`, directions in float32.

    Of a class without boundary points there are no directions, and the fact `missing` says why.
    """
    points, sources = boundary_points(ctx, target)
    if not len(points):
        nothing = {name: np.empty(0) for name in ("curvatures", "rayleigh", "residuals")}
        directions = np.empty((0, ctx.values_per_image), np.float32)
        facts = {"asymmetry": None, "points": 0, "missing": ctx.stage(points_id(target)).facts["missing"]}
        return {"directions": directions, **nothing}, facts
    if half is not None:
        points, sources = points[half::2], sources[half::2]
    step = length_of_step(ctx, params)
    made: dict[str, MeanHessian] = {}
    title = f"curvature of class {ctx.data.class_name(target)}"

    def call(batch_size: int) -> CurvatureBasis:
        made["operator"] = operator = MeanHessian(
            ctx.attack_target, points, target, sources, step=step, hessian=params.hessian, batch_size=batch_size
        )
        if is_dense(params, operator.size):
            return dense_curvatures(operator, report=partial(ctx.report_progress, title))
        return lanczos_curvatures(operator, params.pairs, tolerance=params.tolerance, seed=ctx.settings.run.seed)

    basis, _ = ctx.forward.in_batches(call)
    gradient_norm, gradients = made["operator"].gradient_norm(), made["operator"].gradients
    ctx.count(forwards=gradients, backwards=gradients)
    arrays = {"directions": basis.directions.float().numpy()}
    arrays |= {name: getattr(basis, name).numpy() for name in ("curvatures", "rayleigh", "residuals")}
    measured = {"asymmetry": None if math.isnan(basis.asymmetry) else basis.asymmetry}
    return arrays, measured | {
        "gradients": gradients,
        "gradient_norm": gradient_norm,
        "step": step,
        "points": len(points),
    }


def length_of_step(ctx: NetworkContext, params: CurvatureParams) -> float:
    """The finite step h, in [0, 1] pixels."""
    if not isinstance(params.step, str):
        return float(params.step)
    images, samples = source_images(ctx)
    key = images.digest, tuple(samples[:RANGE_IMAGES])
    if key not in KNOWN_RANGES:
        KNOWN_RANGES[key] = centred_range(images, samples)
    return authors_step(*KNOWN_RANGES[key], ctx.values_per_image)


def centred_range(images: ImageData, samples: list[int]) -> tuple[float, float]:
    """Smallest and largest pixel of the images of those indices after the subtraction of their mean image."""
    parts = torch.tensor(samples[:RANGE_IMAGES]).split(1000)
    total: Any = 0
    lowest, highest = torch.full(images.shape, 255), torch.zeros(images.shape, dtype=torch.int64)
    for part in parts:
        levels = images.bytes(part)
        total = total + levels.sum(0, dtype=torch.int64).cpu()
        lowest, highest = (lowest.minimum(levels.amin(0).cpu()), highest.maximum(levels.amax(0).cpu()))
    mean = total.double() / sum(map(len, parts))
    return float((lowest - mean).min()) / 255, float((highest - mean).max()) / 255


def boundary_points(ctx: NetworkContext, target: int) -> tuple[Tensor, Tensor]:
    """(n, C, H, W) points a little before the boundary of a class and (n,) the classes that they come from, on the device.

    The cell or stage that asks names `points_id(target)` among its stages.
    """
    arrays = ctx.stage(points_id(target)).arrays
    return torch.from_numpy(arrays["points"]).to(ctx.device), torch.from_numpy(arrays["sources"]).to(ctx.device)


def curvature_basis(ctx: NetworkContext, target: int, half: int | None = None) -> CurvatureBasis:
    """The basis of a class on the run's device, directions in float32; the cell names `stage_id(target, half)`."""
    stage = ctx.stage(stage_id(target, half))
    names = ("directions", "curvatures", "rayleigh", "residuals")
    directions, curvatures, rayleigh, residuals = (
        torch.from_numpy(stage.arrays[name]).to(ctx.device) for name in names
    )
    asymmetry = math.nan if stage.facts["asymmetry"] is None else stage.facts["asymmetry"]
    return CurvatureBasis(directions, curvatures, rayleigh, residuals, asymmetry)
