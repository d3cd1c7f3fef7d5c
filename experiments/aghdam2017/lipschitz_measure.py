"""Measures figure 6: how far features move, the normalisers of eq 9, the Jacobian's norm, and the global bound."""

from __future__ import annotations

import logging
import math
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.geometry.jacobian import spectral_norm
from advlab.geometry.operator_norm import Known, lipschitz_bound
from advlab.lab import Cell, NetworkContext
from advlab.lab.kept_neighbourhood import checked_layers, neighbourhood_of
from advlab.lab.layers import probed_layers
from advlab.models.classifier import frozen
from advlab.probes.selection import order

from .elementwise_measure import elementwise_lengths
from .layer_features import features_of
from .lipschitz import Lipschitz
from .lipschitz_row import LipschitzRow
from .lipschitz_score_measure import score_movements
from .spheres import probed_spheres

log = logging.getLogger(__name__)


def prepare(experiment: Lipschitz, ctx: NetworkContext) -> dict[str, Any]:
    """The samples that qualify, and for each layer the normalisers and the global bound.

    Returns:
        samples; ranges: max - min of the pixels, then of each layer's features; bounds: one a layer. A dry run has the
        samples alone.
    """
    layers = checked_layers(ctx)
    facts: dict[str, Any] = {"samples": ctx.qualified()}
    if ctx.settings.run.dry:
        return facts
    return {
        **facts,
        "ranges": value_ranges(ctx, layers, experiment.params.images),
        "bounds": global_bounds(ctx, layers),
    }


def measure(experiment: Lipschitz, ctx: NetworkContext, cell: Cell) -> list[LipschitzRow]:
    """Ratios from the shared sweep, and the Jacobian's norm at each image."""
    probe, samples = ctx.settings.probe, cell.payload["samples"]
    neighbourhood, layers = neighbourhood_of(ctx, samples), probed_layers(ctx)
    x, labels = ctx.images_and_labels(samples)
    pixel_range, *feature_ranges = ctx.prepared["ranges"]
    clean_error = neighbourhood.clean_error_probability.tolist()
    elementwise = elementwise_statistics(ctx, samples, layers) if experiment.params.elementwise else [{}] * len(layers)
    rows = []
    for depth, layer in enumerate(layers):
        singular = jacobian_norms(experiment, ctx, layer, x)
        normaliser = pixel_range / feature_ranges[depth] if feature_ranges[depth] > 0 else math.nan
        bound = ctx.prepared["bounds"][depth]
        statistics = over_trials(
            neighbourhood.lengths.double(), neighbourhood.feature_shifts[depth].double(), normaliser
        )
        statistics |= score_movements(neighbourhood, depth) | elementwise[depth]
        constant = constant_elements(ctx, depth) if experiment.params.elementwise else {}
        ascended = (
            float(np.nanmax(ctx.stage(f"ascent-{depth}").arrays["norms"])) if experiment.params.starts else math.nan
        )
        norms, converged = singular.value.tolist(), singular.converged.tolist()
        for sphere in probed_spheres(probe, samples, labels.tolist()):
            sample = sphere.place[1]
            rows.append(
                LipschitzRow(
                    **sphere.columns, layer=layer, depth=depth, features=int(neighbourhood.widths[depth]),
                    **sphere.numbers(statistics), normaliser=normaliser, pixel_range=pixel_range,
                    jacobian_norm=norms[sample], jacobian_converged=converged[sample],
                    global_bound=math.nan if bound is None else bound, ascended_norm=ascended,
                    clean_error_probability=clean_error[sample], **constant,
                )
            )  # fmt: skip
    return rows


def over_trials(length: Tensor, moved: Tensor, normaliser: float) -> dict[str, Any]:
    """Statistics over the T trials whose ratio is finite, as nested lists (readings, samples, radii).

    Returns:
        By the names of their columns in `LipschitzRow`; NaN where no trial is finite.

    Args:
        length: (readings, samples, radii, T) of ||v||.
        moved: the same of ||Phi_L(x + v) - Phi_L(x)||.
        normaliser: makes a raw ratio one of eq 9.
    """
    ratio = moved / length
    finite = torch.isfinite(ratio)
    counted = finite.sum(-1)
    least, largest = torch.where(finite, ratio, torch.inf).amin(-1), torch.where(finite, ratio, -torch.inf).amax(-1)
    statistics = {
        "length": torch.where(finite, length, 0).sum(-1) / counted,
        "moved": torch.where(finite, moved, 0).sum(-1) / counted,
        "least_ratio": torch.where(counted > 0, least, torch.nan),
        "largest_ratio": torch.where(counted > 0, largest, torch.nan),
        "contracted": (finite & (ratio < 1)).sum(-1),
        "contracted_normalised": (finite & (ratio * normaliser < 1)).sum(-1),
        "nonfinite": (~finite).sum(-1),
    }
    return {name: values.tolist() for name, values in statistics.items()}


def elementwise_statistics(ctx: NetworkContext, samples: list[int], layers: list[str]) -> list[dict[str, Any]]:
    """Statistics of each layer as `over_trials` gives them, with a normaliser for each element, by their columns."""
    length, *moved = elementwise_lengths(ctx, samples, layers, ctx.stage("element-ranges").arrays).double()
    columns = {
        "elementwise_length": "length", "elementwise_moved": "moved", "elementwise_largest_ratio": "largest_ratio",
        "contracted_elementwise": "contracted",
    }  # fmt: skip
    of_layers = [over_trials(length, of_layer, 1.0) for of_layer in moved]
    for statistics in of_layers:  # features without any range are not contracted
        unknown = np.isnan(statistics["largest_ratio"])
        statistics["contracted"] = np.where(unknown, np.nan, statistics["contracted"]).tolist()
    return [{column: statistics[name] for column, name in columns.items()} for statistics in of_layers]


def constant_elements(ctx: NetworkContext, depth: int) -> dict[str, Any]:
    """How many pixels, and features of a layer, have no range."""
    ranges = ctx.stage("element-ranges").arrays
    names = {"constant_pixels": "space-0", "constant_features": f"space-{1 + depth}"}
    return {column: int((ranges[name] == 0).sum()) for column, name in names.items()}


def jacobian_norms(experiment: Lipschitz, ctx: NetworkContext, layer: str, x: Tensor) -> Any:
    """The largest singular value of the Jacobian of a layer at each of (n, C, H, W) images, as `spectral_norm` gives it.

    The run's batch size was measured for forwards without derivatives: it is halved until these fit as well.
    """
    params, phi = experiment.params, partial(features_of, ctx.classifier, layer)
    singular = ctx.in_batches(
        lambda batch: spectral_norm(phi, x, tol=params.tolerance, max_iter=params.iterations, batch_size=batch),
        images=0,
    )
    ctx.count(forwards=len(x) * (1 + singular.iterations), backwards=len(x) * singular.iterations)
    return singular


def value_ranges(ctx: NetworkContext, layers: list[str], images: int) -> list[float]:
    """max - min of the pixels, then of each layer's features, over the first `images` images of the order."""
    data, forward, classifier, run = ctx.data, ctx.forward, ctx.classifier, ctx.settings.run
    batch = ctx.execution.batch_size
    chosen = order(data, run.seed)[:images]

    def make() -> tuple[dict[str, Any], dict[str, Any]]:
        extremes: Tensor | None = None  # (spaces, 2) of max and -min
        with frozen(classifier), torch.inference_mode():
            for start in range(0, len(chosen), batch):
                x = data.images(torch.from_numpy(chosen[start : start + batch]))
                spaces = [x, *forward.layer_features(x, layers)[1]]
                of_batch = torch.stack([torch.stack([space.amax(), -space.amin()]).double() for space in spaces])
                extremes = of_batch if extremes is None else torch.maximum(extremes, of_batch)
                ctx.report_progress("normalisers", min(start + batch, len(chosen)), len(chosen))
        assert extremes is not None
        return {"ranges": extremes.sum(1).cpu().numpy()}, {}

    key = ctx.key(version=1, order=f"{data.name}/{data.split}/{run.seed}", count=len(chosen), layers=layers)
    return list(np.asarray(ctx.artifacts.get("feature_ranges", key, make).arrays["ranges"], dtype=float))


def global_bounds(ctx: NetworkContext, layers: list[str]) -> list[float | None]:
    """The global Lipschitz bound of each layer; None, with the reason in the log, where the network cannot be followed."""
    classifier = ctx.classifier
    bounds: list[float | None] = []
    known: Known = {}
    for layer in layers:

        def make(layer: str = layer) -> tuple[dict[str, Any], dict[str, Any]]:
            result = lipschitz_bound(classifier, layer, known=known)
            return {"bound": np.array([result.bound])}, {"reason": result.reason}

        key = {
            "version": 1,
            "weights": ctx.weights,
            "behaviour": classifier.behaviour,
            "layer": layer,
            **classifier.head_key,
        }
        artifact = ctx.artifacts.get("lipschitz_bound", key, make)  # minutes for networks of ImageNet's size
        if artifact.facts["reason"]:
            log.warning("no global Lipschitz bound of the layer %s: %s", layer, artifact.facts["reason"])
        bound = float(artifact.arrays["bound"][0])
        bounds.append(None if math.isnan(bound) else bound)
    return bounds
