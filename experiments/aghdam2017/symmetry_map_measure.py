"""Measures figure 2: the pair of permutations, the map of their plane, and how permutations score around all samples."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from advlab.errors import MeasurementError
from advlab.lab import Cell, NetworkContext
from advlab.lab.kept_neighbourhood import scores_in_directions
from advlab.metrics.error_probability import error_probability
from advlab.plotting.pixels import encode
from advlab.probes.permutations import Permutations

from .spheres import probed_spheres
from .symmetry_map import SymmetryMap
from .symmetry_map_pair_measure import Pair, first_pair, perturbation, rms
from .symmetry_map_row import GRID, MARK, SPHERE, SymmetryMapRow


def prepare(experiment: SymmetryMap, ctx: NetworkContext) -> dict[str, Any]:
    """The samples that qualify, and the pair that the map shows; in a dry run any pair stands for it."""
    samples = ctx.qualified()
    if ctx.settings.run.dry:
        return {"samples": samples, "pair": {"sample": samples[0], "radius": 0, "kept": 0, "lost": 1}}
    return {"samples": samples, "pair": find_pair(experiment, ctx, samples)}


def find_pair(experiment: SymmetryMap, ctx: NetworkContext, samples: list[int]) -> Pair:
    """The pair of the smallest radius among the first candidates; of equal ones, the first candidate's.

    Raises:
        MeasurementError: no radius of any candidate has a permutation that keeps the class and one that loses it.
    """
    params, probe = experiment.params, ctx.settings.probe
    candidates = samples[: params.candidates]
    pair: Pair | None = None
    for done, sample in enumerate(candidates):
        below = len(probe.radii) if pair is None else pair["radius"]
        pair = first_pair(ctx, sample, params.reading, below=below) or pair
        ctx.report_progress("search", done + 1, len(candidates))
    if pair is None:
        reading = probe.readings[params.reading]
        raise MeasurementError(
            f"no pair for the map: for none of {len(candidates)} samples and radii {probe.radii[0]:g} to "
            f"{probe.radii[-1]:g} ({reading}) do some of {probe.trials} permutations keep the class and others lose it. Raise "
            "experiment.candidates, probe.radii or probe.trials, or take another experiment.reading"
        )
    return pair


def measure(experiment: SymmetryMap, ctx: NetworkContext, cell: Cell) -> list[SymmetryMapRow]:
    """The map with its marks, or the spheres of some samples."""
    if cell.id == "map":
        return measure_map(experiment, ctx, cell.payload["pair"])
    return measure_spheres(ctx, cell.payload["samples"])


class Plane:
    """The images x + a u1 + b u2 of the plane of a pair: u1 = v1 / ||v1||, and u2 the part of v2 orthogonal to it, scaled to 1.

    Args:
        x: (1, C, H, W) clean image.
        v1: (D,) float64 on the host, pixels in [0, 1].
        v2: the same.
        clip: cut the images to [0, 1].
    """

    def __init__(self, x: Tensor, v1: Tensor, v2: Tensor, *, clip: bool) -> None:
        self.x, self.clip = x.cpu().double(), clip
        u1 = v1 / v1.norm()
        u2 = v2 - (v2 @ u1) * u1
        u2 /= u2.norm()
        self.axes = torch.stack([u1, u2])
        #: (3, 2) float64 coordinates of x, x + v1 and x + v2.
        self.marks = torch.tensor(
            [[0, 0], [float(v1.norm()), 0], [float(v2 @ u1), float(v2 @ u2)]], dtype=torch.float64
        )

    def images(self, places: Tensor) -> Tensor:
        """(n, C, H, W) float32 images on the host at (n, 2) coordinates."""
        images = (self.x + (places @ self.axes).view(-1, *self.x.shape[1:])).float()
        return images.clamp(0, 1) if self.clip else images


def measure_map(experiment: SymmetryMap, ctx: NetworkContext, pair: Pair) -> list[SymmetryMapRow]:
    """Rows of the three marked images, then of the grid."""
    params, probe, data = experiment.params, ctx.settings.probe, ctx.data
    sample, radius, reading = pair["sample"], probe.radii[pair["radius"]], probe.readings[params.reading]
    x, labels = ctx.images_and_labels([sample])
    permutations = Permutations(ctx.draws)
    v1 = perturbation(ctx, permutations, sample, pair["radius"], params.reading, pair["kept"])
    v2 = perturbation(ctx, permutations, sample, pair["radius"], params.reading, pair["lost"])
    plane = Plane(x, v1, v2, clip=probe.clip)
    side = torch.linspace(-1, 1, params.grid, dtype=torch.float64) * params.extent * v1.norm()
    places = torch.cat([plane.marks, torch.cartesian_prod(side, side)])
    error, margins, predictions = scores_in_plane(ctx, plane, places, labels)
    channels, height, width = data.shape
    own_columns: list[dict[str, Any]] = [
        {
            "kind": MARK, "name": name, "radius": 0.0 if name == "clean" else radius,
            "rms": 0.0 if name == "clean" else rms(v1), "channels": channels, "height": height, "width": width,
            "pixels": encode((image.clamp(0, 1) * 255).round().byte().numpy()),
        }
        for name, image in zip(("clean", "kept", "lost"), plane.images(plane.marks), strict=True)
    ]  # fmt: skip
    own_columns += [{"kind": GRID, "radius": radius}] * params.grid**2
    label = int(labels)
    common = {
        "sample": sample, "label": label, "label_name": data.classes[label], "norm": reading.norm,
        "pixel_scale": reading.pixel_scale, "direction": probe.direction,
    }  # fmt: skip
    return [
        SymmetryMapRow(
            **common, **own, a=a, b=b, score=1 - error[n], error_probability=error[n], margin=margins[n],
            prediction=predictions[n], prediction_name=data.class_name(predictions[n]), above=int(error[n] < error[0]),
            misclassified=int(math.isfinite(error[n]) and predictions[n] != label),
            nonfinite=int(not math.isfinite(error[n])),
        )
        for n, (own, (a, b)) in enumerate(zip(own_columns, places.tolist(), strict=True))
    ]  # fmt: skip


def scores_in_plane(
    ctx: NetworkContext, plane: Plane, places: Tensor, label: Tensor
) -> tuple[list[float], list[float], list[int]]:
    """1 - score, margin and predicted class at each of (n, 2) places."""
    error: list[float] = []
    margins: list[float] = []
    predictions: list[int] = []
    for batch in places.split(ctx.forward.limit):
        logits = ctx.forward(plane.images(batch).to(ctx.device))
        error += error_probability(logits, label)[0].tolist()
        others = logits.index_fill(1, label, -torch.inf).amax(1)
        margins += (logits[:, label[0]] - others).tolist()
        predictions += logits.argmax(1).tolist()
    return error, margins, predictions


def measure_spheres(ctx: NetworkContext, samples: list[int]) -> list[SymmetryMapRow]:
    """How many of the T permutations of each (sample, reading, radius) score above the clean image."""
    probe, data = ctx.settings.probe, ctx.data
    scores = scores_in_directions(ctx, samples, Permutations(ctx.draws))
    error, clean_error = scores.error_probability, scores.clean_error_probability
    finite = torch.isfinite(error)
    counted = finite.sum(-1)
    numbers = {
        "above": (error < clean_error[:, None, None]).sum(-1).tolist(),  # false where it is nan
        "misclassified": (finite & ~scores.correct).sum(-1).tolist(),
        "nonfinite": (probe.trials - counted).tolist(),
        "error_probability": (torch.where(finite, error, 0).sum(-1) / counted).tolist(),
    }
    rows = []
    for sphere in probed_spheres(probe, samples, data.labels[torch.tensor(samples)].tolist()):
        reading, _, radius = sphere.place
        columns = sphere.numbers(numbers)
        v = perturbation(ctx, ctx.draws, sphere.columns["sample"], radius, reading)
        rows.append(
            SymmetryMapRow(
                kind=SPHERE, **sphere.columns, label_name=data.classes[sphere.columns["label"]], rms=rms(v),
                score=1 - columns["error_probability"], **columns,
            )
        )  # fmt: skip
    return rows
