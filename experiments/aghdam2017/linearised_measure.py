"""What figure 4 of aghdam2017 would be for the network's own linearisation: the distances of J(x) v."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from advlab.geometry.dense import LARGEST, dense_jacobian
from advlab.geometry.jacobian import jvp
from advlab.lab import NetworkContext
from advlab.metrics.distances import pairwise_distances
from advlab.models.forward import Execution
from advlab.probes.neighbourhood import Neighbourhood, layer_groups
from advlab.probes.sweep import sphere_batches

from .layer_features import features_of
from .spheres import linearised_directions


def linearised_distances(
    ctx: NetworkContext, samples: list[int], layers: list[str], neighbourhood: Neighbourhood
) -> list[Tensor]:
    """(readings, samples, radii, pairs) distances of J(x) v for each layer, by the network's own Jacobian at each image.

    By the whole Jacobian where it has fewer rows than there are directions, else by products with each direction, of as
    many layers at once as fit into memory.

    Args:
        ctx: of the run.
        samples: indices in the split.
        layers: whose outputs are Phi_L.
        neighbourhood: of the samples; its lengths and widths are used.
    """
    probe, lengths, widths = ctx.settings.probe, neighbourhood.lengths, neighbourhood.widths.tolist()
    pixels = ctx.images_and_labels(samples[:1])[0].numel()
    whole = [whole_jacobian_is_cheaper(ctx, width) and width * pixels <= LARGEST for width in widths]
    by_products = [depth for depth in range(len(layers)) if not whole[depth]]
    groups = [[by_products[i] for i in group] for group in layer_groups([widths[d] for d in by_products], probe.trials)]
    groups += [[depth] for depth in range(len(layers)) if whole[depth]]
    distances = [lengths.new_empty(neighbourhood.feature_distances.shape[1:]) for _ in layers]
    for group in groups:
        names = [layers[depth] for depth in group]
        multiply = WholeJacobian(ctx, names[0]) if whole[group[0]] else TangentProducts(ctx, names)
        products: list[Tensor] = []
        for perturbation in perturbations(ctx, samples, lengths):
            if perturbation.reading == 0 or probe.clip:  # unclipped, readings scale the same directions
                products = multiply(perturbation.x, perturbation.directions)
            place = perturbation.reading, perturbation.sample, perturbation.radius
            for depth, product in zip(group, products, strict=True):
                distances[depth][place] = pairwise_distances((product * perturbation.scale[:, None])[None])[0]
    return distances


def whole_jacobian_is_cheaper(ctx: NetworkContext, features: int) -> bool:
    """Whether R backward passes, each about three forwards, cost less than a product for each direction, about two."""
    return 3 * features < 2 * linearised_directions(ctx.settings.probe)


class TangentProducts:
    """J(x) v of several layers at once, in forward mode, a product for each direction.

    The run's batch size was measured for forwards without derivatives: it is halved until these fit as well.
    """

    def __init__(self, ctx: NetworkContext, layers: list[str]) -> None:
        self.ctx, self.layers = ctx, layers
        self.widths: list[int] = []

    def __call__(self, x: Tensor, v: Tensor) -> list[Tensor]:
        """(T, R) of each layer, at an image (1, C, H, W) and its directions (1, T, C, H, W)."""
        products = self.ctx.in_batches(lambda batch: jvp(self._features, x, v, batch_size=batch), images=0)[0]
        self.ctx.count(forwards=2 * v.shape[1])  # a direction's tangent goes through as the image does
        return list(products.split(self.widths, 1))

    def _features(self, x: Tensor) -> Tensor:
        features = self.ctx.classifier.layer_features(x, self.layers)[1]
        self.widths = [of_layer.shape[1] for of_layer in features]
        return torch.cat(features, 1)


class WholeJacobian:
    """J(x) v of one layer by its whole Jacobian, which is kept for the other directions of the same image."""

    def __init__(self, ctx: NetworkContext, layer: str) -> None:
        self.ctx, self.phi = ctx, partial(features_of, ctx.classifier, layer)
        self.x: Tensor | None = None

    def __call__(self, x: Tensor, v: Tensor) -> list[Tensor]:
        """As `TangentProducts` does."""
        if self.x is None or not self.x.equal(x):
            self.x = x
            self.jacobian = self.ctx.in_batches(lambda batch: dense_jacobian(self.phi, x, batch_size=batch), images=0)
            self.ctx.count(forwards=len(self.jacobian), backwards=len(self.jacobian))
        return [v[0].flatten(1) @ self.jacobian.T]


def one_sphere_a_batch(ctx: NetworkContext) -> Execution:
    """The run's execution with batches of all T directions of one (sample, radius), for what needs them together."""
    return replace(ctx.execution, batch_size=ctx.settings.probe.trials)


@dataclass(frozen=True)
class Perturbations:
    """The T perturbations of one (sample, reading, radius).

    Attributes:
        sample: index in the cell.
        reading: index in `probe.readings`.
        radius: index in `probe.radii`.
        x: (1, C, H, W) image.
        directions: (1, T, C, H, W).
        scale: (T,) factors that make perturbations v of the directions.
    """

    sample: int
    reading: int
    radius: int
    x: Tensor
    directions: Tensor
    scale: Tensor


def perturbations(ctx: NetworkContext, samples: list[int], lengths: Tensor) -> Iterator[Perturbations]:
    """All perturbations of some samples, whose (readings, samples, radii, trials) lengths are given."""
    probe = ctx.settings.probe
    images = ctx.images_and_labels(samples)[0]
    for batch in sphere_batches(images, samples, probe, ctx.draws, one_sphere_a_batch(ctx)):
        sample, radius = divmod(batch.first, len(probe.radii))
        x = images[sample : sample + 1]
        v = batch.images - x if probe.clip else batch.noise[0].view_as(batch.images)
        length = lengths[batch.reading, sample, radius].to(v.device)
        scale = length / torch.linalg.vector_norm(v.flatten(1), dim=1)
        yield Perturbations(sample, batch.reading, radius, x, v[None], scale)
