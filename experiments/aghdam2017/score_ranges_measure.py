"""Measures the ranges of figures 1 and 3: scores of the perturbed images, and what float32 itself adds to a range."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from advlab.lab import Cell, NetworkContext
from advlab.lab.kept_neighbourhood import scores_around, scores_in_directions
from advlab.metrics.error_probability import error_probability
from advlab.probes.neighbourhood import Scores
from advlab.probes.permutations import Permutations
from advlab.probes.sweep import Directions, sphere_batches

from .score_ranges import ScoreRangeRow, ScoreRanges
from .spheres import probed_spheres, samples_for_float64

Place = tuple[int, int, int]  # indices of reading, sample and radius


def measure(experiment: ScoreRanges, ctx: NetworkContext, cell: Cell) -> list[ScoreRangeRow]:
    """Scores of every perturbed image of the cell's samples, reduced to one row a sample, reading and radius."""
    probe, samples = ctx.settings.probe, cell.payload["samples"]
    scores = scores_of(experiment, ctx, samples)
    x, labels = ctx.images_and_labels(samples)
    noise_floors = measure_noise_floors(experiment, ctx, cell, x, labels)
    error = scores.error_probability
    finite = torch.isfinite(error)
    low = torch.where(finite, error, torch.inf).amin(-1)
    high = torch.where(finite, error, -torch.inf).amax(-1)
    counted = finite.sum(-1)
    lowest_error = torch.where(counted > 0, low, torch.nan).tolist()
    highest_error = torch.where(counted > 0, high, torch.nan).tolist()
    mean_error = (torch.where(finite, error, 0).sum(-1) / counted).tolist()
    misclassified = (finite & ~scores.correct).sum(-1).tolist()
    nonfinite = (probe.trials - counted).tolist()
    clean_error = scores.clean_error_probability.tolist()
    rows = []
    for sphere in probed_spheres(probe, samples, labels.tolist()):
        smallest, largest = sphere.number(lowest_error), sphere.number(highest_error)
        rows.append(
            ScoreRangeRow(
                **sphere.columns, range=largest - smallest, mean_score=1 - sphere.number(mean_error),
                clean_error_probability=clean_error[sphere.place[1]], min_error_probability=smallest,
                max_error_probability=largest, misclassified=sphere.number(misclassified), nonfinite=sphere.number(nonfinite),
                noise_floor=noise_floors.get(sphere.place, math.nan),
            )
        )  # fmt: skip
    return rows


def directions_of(experiment: ScoreRanges, ctx: NetworkContext) -> Directions:
    """The probe's directions, or permutations of the first of them."""
    return Permutations(ctx.draws) if experiment.permuted else ctx.draws


def scores_of(experiment: ScoreRanges, ctx: NetworkContext, samples: list[int]) -> Scores:
    """Scores of all perturbed images of some samples.

    Those in the probe's own directions come from the sweep that topology and lipschitz share; permutations have a sweep of
    their own, because no other figure has these perturbations.
    """
    if experiment.permuted:
        return scores_in_directions(ctx, samples, directions_of(experiment, ctx))
    return scores_around(ctx, samples)


def measure_noise_floors(
    experiment: ScoreRanges, ctx: NetworkContext, cell: Cell, x: Tensor, labels: Tensor
) -> dict[Place, float]:
    """Range over T of (s in float32 - s in float64) for the first samples of the run; none without float64.

    Args:
        experiment: says at which radii, and in which directions.
        ctx: of the run.
        cell: its samples.
        x: (samples, C, H, W) their images.
        labels: (samples,) their true classes.
    """
    probe = ctx.settings.probe
    chosen = samples_for_float64(probe, cell)
    if not chosen or ctx.forward.double_obstacle:
        return {}
    radii = experiment.floor_radii(probe)
    errors: dict[Place, list[Tensor]] = {}
    directions = directions_of(experiment, ctx)
    for batch in sphere_batches(x[: len(chosen)], chosen, probe, directions, ctx.execution, radii=radii):
        units = [divmod(unit, len(radii)) for unit in range(batch.first, batch.first + batch.units)]
        target = labels[[sample for sample, _ in units]].repeat_interleave(len(batch.images) // batch.units)
        single, _ = error_probability(ctx.forward(batch.images), target)
        double, _ = error_probability(ctx.forward.double(batch.images), target.to(ctx.forward.double_device))
        error = (single.to(double.device) - double).view(batch.units, -1)
        for (sample, k), values in zip(units, error, strict=True):
            errors.setdefault((batch.reading, sample, radii[k]), []).append(values)
    return {place: finite_range(torch.cat(values)) for place, values in errors.items()}


def finite_range(values: Tensor) -> float:
    """Largest less smallest of the finite values; NaN where there are none."""
    values = values[torch.isfinite(values)]
    return float(values.max() - values.min()) if len(values) else math.nan
