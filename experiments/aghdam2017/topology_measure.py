"""Measures figure 4: correlations of the distances of perturbed images with those of their features, and the controls."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from advlab.lab import Cell, NetworkContext
from advlab.lab.kept_neighbourhood import checked_layers, neighbourhood_of
from advlab.lab.layers import probed_layers
from advlab.metrics.distances import norms_and_distances, pairwise_distances
from advlab.metrics.mantel import mantel_r, mantel_test
from advlab.metrics.mantel_moments import mantel_normal
from advlab.metrics.nearest_neighbours import NearestKept
from advlab.metrics.random_map import mapped_points
from advlab.metrics.topology import AlphaSolver
from advlab.probes.neighbourhood import Neighbourhood
from advlab.probes.sweep import sphere_batches

from .linearised_measure import linearised_distances, one_sphere_a_batch
from .random_layers_measure import map_seeds, random_layer_distances
from .spheres import probed_spheres, samples_for_float64
from .topology import Topology, TopologyRow


def prepare(experiment: Topology, ctx: NetworkContext) -> dict[str, Any]:
    """The samples that qualify, once every layer was seen to give features: that must fail before a run is begun."""
    checked_layers(ctx)
    return {"samples": ctx.qualified()}


def measure(experiment: Topology, ctx: NetworkContext, cell: Cell) -> list[TopologyRow]:
    """Distances from the shared sweep, those of the controls, and their correlations."""
    probe, params, samples = ctx.settings.probe, experiment.params, cell.payload["samples"]
    neighbourhood, layers = neighbourhood_of(ctx, samples), probed_layers(ctx)
    images, labels = ctx.images_and_labels(samples)
    rounding = measure_rounding(experiment, ctx, cell, layers)
    nonfinite = (~torch.isfinite(neighbourhood.feature_shifts)).sum(-1).tolist()
    image_distances = neighbourhood.image_distances.flatten(0, 2)
    alpha, nearest_kept = AlphaSolver(image_distances, squared=params.squared), NearestKept(image_distances)
    linearised = linearised_distances(ctx, samples, layers, neighbourhood) if params.linearisation else []
    several = params.random_layers and len(layers) > 1
    stacks = random_layer_distances(ctx, samples, layers, neighbourhood) if several else {}
    rows = []
    for depth, layer in enumerate(layers):
        distances = {"network": neighbourhood.feature_distances[depth]}
        if params.linearisation:
            distances["linearisation"] = linearised[depth]
        distances["random map"] = randomly_mapped_distances(ctx, samples, neighbourhood, depth)
        distances |= {source: of_layers[depth] for source, of_layers in stacks.items()}
        numbers = {}
        for source, of_source in distances.items():
            flat = of_source.flatten(0, 2)
            r, p_value = correlate(experiment, image_distances, flat, source)
            kept = alpha(flat)
            columns = {
                "mantel_r": r, "p_value": p_value, "scale": kept.c, "deviation": kept.deviation, "residual": kept.residual,
                "nearest_kept": nearest_kept(flat),
            }  # fmt: skip
            shape = neighbourhood.image_distances.shape[:3]
            numbers[source] = {name: values.view(shape).tolist() for name, values in columns.items()}
        for sphere in probed_spheres(probe, samples, labels.tolist()):
            for source in distances:
                of_network: dict[str, Any] = {}
                if source == "network":
                    of_network = {
                        "rounding": rounding.get((*sphere.place, depth), math.nan),
                        "nonfinite": sphere.number(nonfinite[depth]),
                    }
                rows.append(
                    TopologyRow(
                        **sphere.columns, layer=layer, depth=depth, pixels=images[0].numel(),
                        features=int(neighbourhood.widths[depth]), source=source, **sphere.numbers(numbers[source]),
                        **of_network,
                    )
                )  # fmt: skip
    return rows


def correlate(
    experiment: Topology, image_distances: Tensor, feature_distances: Tensor, source: str
) -> tuple[Tensor, Tensor]:
    """(B,) Mantel's r and its p-value for (B, pairs) distances; the controls are not tested: their p-values are NaN."""
    params = experiment.params
    if source != "network":
        r = mantel_r(image_distances, feature_distances, squared=params.squared)
        return r, torch.full_like(r, torch.nan)
    if params.test == "normal":
        return mantel_normal(image_distances, feature_distances, squared=params.squared)
    return mantel_test(image_distances, feature_distances, permutations=params.permutations, squared=params.squared)


def randomly_mapped_distances(
    ctx: NetworkContext, samples: list[int], neighbourhood: Neighbourhood, depth: int
) -> Tensor:
    """(readings, samples, radii, pairs) distances after a Gaussian linear map to as many numbers as a layer has.

    Each (sample, radius) has a map of its own, which all readings share.
    """
    readings, count, radii, _ = neighbourhood.image_distances.shape
    seeds = map_seeds(ctx, samples, radii, depth, "/map")
    points = mapped_points(
        neighbourhood.image_distances.flatten(0, 2), neighbourhood.lengths.flatten(0, 2),
        int(neighbourhood.widths[depth]), seeds * readings,
    )  # fmt: skip
    return norms_and_distances(points.to(torch.float32))[1].view(readings, count, radii, -1)


def measure_rounding(
    experiment: Topology, ctx: NetworkContext, cell: Cell, layers: list[str]
) -> dict[tuple[int, int, int, int], float]:
    """|r in float32 - r in float64| at the smallest radius, for the run's first samples.

    Returns:
        It by the indices of reading, sample and radius (always 0), and of the layer; nothing without float64.
    """
    probe = ctx.settings.probe
    chosen = samples_for_float64(probe, cell)
    if not chosen or ctx.forward.double_obstacle:
        return {}
    x = ctx.images_and_labels(chosen)[0]
    rounding = {}
    for batch in sphere_batches(x, chosen, probe, ctx.draws, one_sphere_a_batch(ctx), radii=[0]):
        sample = batch.first  # with one radius, units are samples
        image_distances = pairwise_distances((batch.images - x[sample]).flatten(1)[None])
        for depth, layer in enumerate(layers):  # one by one: the features of all layers may not fit into memory
            r = [
                float(
                    mantel_r(
                        image_distances, pairwise_distances(features[None]).to(image_distances),
                        squared=experiment.params.squared,
                    )
                )
                for (features,) in (
                    forward(batch.images, [layer])[1] for forward in (ctx.forward.layer_features, ctx.forward.double_layer_features)
                )
            ]  # fmt: skip
            rounding[batch.reading, sample, 0, depth] = abs(r[0] - r[1])
    return rounding
