"""What figure 4 of aghdam2017 would be for a stack of random layers: distances after Gaussian maps of the network's dimensions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from advlab.lab import NetworkContext
from advlab.metrics.distances import norms_and_distances
from advlab.metrics.random_layers import rectified_layer
from advlab.metrics.random_map import mapped_points, square_root
from advlab.models.classification_layer import is_linear
from advlab.probes.neighbourhood import Neighbourhood

from .distance_claims import STACKS
from .linearised_measure import perturbations


def random_layer_distances(
    ctx: NetworkContext, samples: list[int], layers: list[str], neighbourhood: Neighbourhood
) -> dict[str, list[Tensor]]:
    """(readings, samples, radii, pairs) distances after each layer of both stacks of random layers, by their sources.

    A stack has a random map at each measured layer that is fully connected or convolutional, or that has another number of
    features than the layer before (as pooling has); other layers pass on what they are given. Without ReLU, each
    (sample, radius) has maps of its own, which all readings share. With ReLU, each sample has.
    """
    widths = [int(width) for width in neighbourhood.widths]
    mapped = mapped_layers(ctx, layers, widths)
    linear, rectified = STACKS
    return {
        linear: linear_stack(ctx, samples, neighbourhood, widths, mapped),
        rectified: rectified_stack(ctx, samples, neighbourhood, widths, mapped),
    }


def mapped_layers(ctx: NetworkContext, layers: list[str], widths: list[int]) -> list[bool]:
    """Whether each of the measured layers has a map of its own in the stacks."""
    modules = dict(ctx.classifier.network.named_modules())
    before = [ctx.values_per_image, *widths[:-1]]
    return [
        width != width_before or (layer in modules and is_linear(modules[layer]))
        for layer, width, width_before in zip(layers, widths, before, strict=True)
    ]


def map_seeds(ctx: NetworkContext, samples: list[int], radii: int, depth: int, purpose: str) -> list[int]:
    """A seed for each (sample, radius), sample by sample."""
    return [
        int.from_bytes(ctx.draws.digest(sample, k, depth, purpose)[:7], "little")
        for sample in samples
        for k in range(radii)
    ]


def linear_stack(
    ctx: NetworkContext, samples: list[int], neighbourhood: Neighbourhood, widths: list[int], mapped: list[bool]
) -> list[Tensor]:
    """Distances after each layer without ReLU; biases would cancel in them."""
    readings, _, radii, _ = neighbourhood.image_distances.shape
    distances, lengths = neighbourhood.image_distances.flatten(0, 2), neighbourhood.lengths.flatten(0, 2)
    after = []
    for depth, width in enumerate(widths):
        if mapped[depth]:
            seeds = map_seeds(ctx, samples, radii, depth, "/layers")
            points = mapped_points(distances, lengths, width, seeds * readings) / math.sqrt(width)
            lengths, distances = norms_and_distances(points)
        after.append(distances.view(neighbourhood.image_distances.shape))
    return after


def rectified_stack(
    ctx: NetworkContext, samples: list[int], neighbourhood: Neighbourhood, widths: list[int], mapped: list[bool]
) -> list[Tensor]:
    """Distances after each layer with a ReLU behind every map, without biases, around the image itself."""
    shape = neighbourhood.image_distances.shape
    readings, _, radii, _ = shape
    after = [torch.empty(shape, dtype=torch.float64, device=neighbourhood.lengths.device) for _ in widths]
    points = square_root(gram_matrices(ctx, samples, neighbourhood.lengths)).unflatten(0, shape[:3])
    for s, sample in enumerate(samples):
        of_sample = points[:, s].flatten(0, 1)
        for depth, width in enumerate(widths):
            if mapped[depth]:
                seed = int.from_bytes(ctx.draws.digest(sample, 0, depth, "/layers, relu")[:7], "little")
                of_sample = rectified_layer(of_sample, width, seed)
            distances = norms_and_distances(of_sample[:, 1:])[1]
            after[depth][:, s] = distances.view(readings, radii, -1)
    return after


def gram_matrices(ctx: NetworkContext, samples: list[int], lengths: Tensor) -> Tensor:
    """(readings * samples * radii, 1 + T, 1 + T) float64 products of each image and its T perturbations with each other."""
    count = lengths.shape[-1] + 1
    gram = torch.empty((*lengths.shape[:3], count, count), dtype=torch.float64, device=lengths.device)
    for at in perturbations(ctx, samples, lengths):
        v = at.directions[0].flatten(1).to(gram) * at.scale.to(gram)[:, None]
        rows = torch.cat([at.x.flatten(1).to(gram), v])
        gram[at.reading, at.sample, at.radius] = rows @ rows.T
    return gram.flatten(0, 2)
