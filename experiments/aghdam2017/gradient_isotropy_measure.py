"""Measures section 2.1: gradient and Hessian of the score at each image, and the range over directions that eq 3 predicts."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from scipy.stats import t as student
from torch import Tensor

from advlab.geometry.dispersion import mean_pairwise_difference
from advlab.geometry.hessian import HessianSpread, hessian_directions, hessian_spread
from advlab.geometry.scaled_score import scaled_score
from advlab.geometry.taylor import deviation_on_sphere, euclidean, normal_range
from advlab.lab import Cell, NetworkContext
from advlab.lab.kept_neighbourhood import scores_around

from .gradient_isotropy import GradientIsotropy
from .gradient_isotropy_row import GradientIsotropyRow
from .spheres import probed_spheres

IMAGES_WITH_GRAPHS = 64  # images at most whose graphs for second derivatives are in memory at once


def measure(experiment: GradientIsotropy, ctx: NetworkContext, cell: Cell) -> list[GradientIsotropyRow]:
    """Ranges from the shared sweep, and the measures at each image."""
    params, probe, samples = experiment.params, ctx.settings.probe, cell.payload["samples"]
    scores = scores_around(ctx, samples)
    s = scores.error_probability if params.of == "score" else torch.logit(scores.error_probability)
    finite = torch.isfinite(s)
    counted = finite.sum(-1)
    ranges = torch.where(finite, s, -torch.inf).amax(-1) - torch.where(finite, s, torch.inf).amin(-1)
    range_or_nan = torch.where(counted > 0, ranges, torch.nan).tolist()
    nonfinite = (probe.trials - counted).tolist()
    x, labels = ctx.images_and_labels(samples)
    measures, deviation = measures_at_images(experiment, ctx, x, labels)
    numbers = {name: values.tolist() for name, values in measures.items()}
    predicted = predicted_ranges(ctx, deviation, pixels=math.prod(x.shape[1:]))
    clean_error = scores.clean_error_probability.tolist()
    rows = []
    spheres = probed_spheres(probe, samples, labels.tolist())
    for sphere in sorted(spheres, key=lambda sphere: (sphere.place[0], sphere.place[2])):  # by reading and radius
        reading, sample, radius = sphere.place
        columns = {name: value for name, value in sphere.columns.items() if name != "direction"}  # always random here
        rows.append(
            GradientIsotropyRow(
                **columns, of=params.of, range=sphere.number(range_or_nan), clean_error_probability=clean_error[sample],
                predicted=predicted[reading][radius][sample], nonfinite=sphere.number(nonfinite),
                **{name: values[sample] for name, values in numbers.items()},
            )
        )  # fmt: skip
    return rows


def predicted_ranges(
    ctx: NetworkContext, deviation: Callable[[float], Tensor], *, pixels: int
) -> list[list[list[float]]]:
    """By reading, radius and sample: the mean range of T normal draws with the standard deviation that eq 3 gives.

    Args:
        ctx: of the run.
        deviation: Euclidean length to (samples,) standard deviations of s over directions of that length.
        pixels: D, values of an image.
    """
    probe, multiple = ctx.settings.probe, normal_range(ctx.settings.probe.trials)
    return [
        [
            (multiple * deviation(euclidean(radius / reading.pixel_scale, reading.norm, pixels))).tolist()
            for radius in probe.radii
        ]
        for reading in probe.readings
    ]


def measures_at_images(
    experiment: GradientIsotropy, ctx: NetworkContext, x: Tensor, labels: Tensor
) -> tuple[dict[str, Tensor], Callable[[float], Tensor]]:
    """(n,) measures by name, and the standard deviation of s over directions of a length, (n,), by eq 3."""
    spread, scale = spreads_at_images(experiment, ctx, x, labels)
    pixels = math.prod(x.shape[1:])
    norm, dispersion = spread.gradient.norm(dim=1), mean_pairwise_difference(spread.gradient)
    quantile = float(student.ppf(0.975, min(experiment.params.directions, pixels) - 1))
    hessian_norm, isotropic = scale * spread.norm, spread.isotropic
    relative = torch.where(spread.norm > 0, spread.errors[:, 0] / spread.norm, 0.0)  # the error of log ||H||
    margin = quantile * spread.errors[:, 2]
    anisotropic_part = torch.where(spread.norm > 0, spread.isotropic * spread.norm, 0.0)  # ||H - c I||_F

    def deviation(length: float) -> Tensor:
        return scale * deviation_on_sphere(norm, anisotropic_part, pixels, length)

    return {
        "dispersion": scale * dispersion, "relative_dispersion": dispersion / spread.gradient.abs().mean(1),
        "gradient_norm": scale * norm, "hessian_norm": hessian_norm,
        "hessian_norm_error": scale * spread.errors[:, 0], "isotropic": spread.isotropic,
        "isotropic_error": spread.errors[:, 2], "symmetric": spread.symmetric, "symmetric_error": spread.errors[:, 3],
        "hessian_norm_low": hessian_norm * (-quantile * relative).exp(),
        "hessian_norm_high": hessian_norm * (quantile * relative).exp(),
        "isotropic_low": (isotropic - margin).clamp_min(0), "isotropic_high": (isotropic + margin).clamp_max(1),
        "trace": scale * spread.trace, "trace_error": scale * spread.errors[:, 1],
    }, deviation  # fmt: skip


def spreads_at_images(
    experiment: GradientIsotropy, ctx: NetworkContext, x: Tensor, labels: Tensor
) -> tuple[HessianSpread, Tensor]:
    """Gradient and Hessian of the scaled score at (n, C, H, W) images, and the (n,) scales that make them those of s."""
    params = experiment.params
    pixels = math.prod(x.shape[1:])
    directions = hessian_directions(params.directions, pixels, seed=ctx.settings.run.seed)

    def in_batches(limit: int) -> list[tuple[HessianSpread, Tensor]]:
        spreads, size = [], min(limit, IMAGES_WITH_GRAPHS)
        with torch.inference_mode(False):  # tensors made under inference_mode serve no gradients
            for images, y in zip(x.clone().split(size), labels.clone().split(size), strict=True):
                function, scale = scaled_score(ctx.attack_target, images, y, params.of)
                spreads.append((hessian_spread(function, images, directions, step=params.step), scale))
        return spreads

    batches = ctx.in_batches(in_batches, images=0)
    forwards, backwards = experiment.derivative_cost(len(x), pixels)
    ctx.count(forwards=forwards, backwards=backwards)
    spread = HessianSpread(*(torch.cat(field) for field in zip(*(of_batch for of_batch, _ in batches), strict=True)))
    return spread, torch.cat([scale for _, scale in batches]).cpu()
