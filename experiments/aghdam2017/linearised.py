"""What figure 4 of aghdam2017 would be for the network's own linearisation: distances of J(x) v, and what they take."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from .spheres import features_of, images_and_labels

if TYPE_CHECKING:
    from torch import Tensor

    from advlab.lab.context import Context


def linearised_distances(ctx: Context, samples: list[int], layers: list[str], found: Any) -> list[Tensor]:
    """(readings, samples, radii, pairs) distances of J(x) v for each layer, by the network's own Jacobian at each image.

    By the whole Jacobian where its rows are fewer than the directions, else by products with each, of as many layers at
    once as fit.

    Args:
        ctx: of the run.
        samples: indices in the split.
        layers: whose outputs are Phi_L.
        found: their neighbourhood, for lengths and widths.
    """
    from advlab.geometry.dense import LARGEST
    from advlab.lab.neighbourhood import layer_groups
    from advlab.metrics.distances import pairwise_distances

    probe, lengths, widths = ctx.settings.probe, found.length, found.width.tolist()
    pixels = images_and_labels(ctx, samples[:1])[0].numel()
    rows = [by_rows(ctx, width) and width * pixels <= LARGEST for width in widths]
    pushed = [depth for depth, dense in enumerate(rows) if not dense]
    groups = [[pushed[i] for i in group] for group in layer_groups([widths[d] for d in pushed], probe.trials)]
    groups += [[depth] for depth, dense in enumerate(rows) if dense]
    distances = [lengths.new_empty(found.outer.shape[1:]) for _ in layers]
    for group in groups:
        multiply = (Rows if rows[group[0]] else Products)(ctx, [layers[d] for d in group])
        products: list[Tensor] = []
        for s, m, k, x, v, scale in perturbations(ctx, samples, lengths):
            if m == 0 or probe.clip:  # readings scale the same directions
                products = multiply(x, v)
            for depth, product in zip(group, products, strict=True):
                distances[depth][m, s, k] = pairwise_distances((product * scale[:, None])[None])[0]
    return distances


def by_rows(ctx: Context, features: int) -> bool:
    """Whether R backward passes (three forwards each, about) are cheaper than a product a direction (two)."""
    return 3 * features < 2 * directions(ctx)


def directions(ctx: Context) -> int:
    """A sample's directions that the linearisation is multiplied with: the readings scale the same ones."""
    probe = ctx.settings.probe
    return (len(probe.readings) if probe.clip else 1) * len(probe.radii) * probe.trials


class Products:
    """J(x) v of each layer, in forward mode; the run's batches were measured without graphs: halved until these fit too."""

    def __init__(self, ctx: Context, layers: list[str]) -> None:
        self.ctx, self.layers = ctx, layers
        self.widths: list[int] = []

    def __call__(self, x: Tensor, v: Tensor) -> list[Tensor]:
        """(T, R) of each layer, at an image (1, C, H, W) and its directions (1, T, C, H, W)."""
        from advlab.geometry.jacobian import jvp

        products = self.ctx.in_batches(lambda batch: jvp(self._features, x, v, batch_size=batch), images=0)[0]
        self.ctx.count(forwards=2 * v.shape[1])  # a direction's tangent goes through as the image does
        return list(products.split(self.widths, 1))

    def _features(self, x: Tensor) -> Tensor:
        import torch

        assert self.ctx.classifier is not None
        features = self.ctx.classifier.layer_features(x, self.layers)[1]
        self.widths = [part.shape[1] for part in features]
        return torch.cat(features, 1)


class Rows:
    """The same for one layer, by its whole Jacobian, which is kept for the directions of the same image."""

    def __init__(self, ctx: Context, layers: list[str]) -> None:
        assert ctx.classifier is not None
        self.ctx, self.phi = ctx, partial(features_of, ctx.classifier, layers[0])
        self.x: Tensor | None = None

    def __call__(self, x: Tensor, v: Tensor) -> list[Tensor]:
        """As `Products` does."""
        from advlab.geometry.dense import dense_jacobian

        if self.x is None or not self.x.equal(x):
            self.x = x
            self.jacobian = self.ctx.in_batches(lambda batch: dense_jacobian(self.phi, x, batch_size=batch), images=0)
            self.ctx.count(forwards=len(self.jacobian), backwards=len(self.jacobian))
        return [v[0].flatten(1) @ self.jacobian.T]


def whole_units(ctx: Context) -> Any:
    """Batches of all directions of one (sample, radius), for what needs them together."""
    from dataclasses import replace

    assert ctx.execution is not None
    return replace(ctx.execution, batch_size=ctx.settings.probe.trials)


def perturbations(
    ctx: Context, samples: list[int], lengths: Tensor
) -> Iterator[tuple[int, int, int, Tensor, Tensor, Tensor]]:
    """Sample, reading and radius index, image (1, C, H, W), directions (1, T, C, H, W), and (T,) what scales them to v."""
    import torch

    from advlab.probes.sweep import sphere_batches

    probe = ctx.settings.probe
    images = images_and_labels(ctx, samples)[0]
    for batch in sphere_batches(images, samples, probe, ctx.draws, whole_units(ctx)):
        s, k = divmod(batch.first, len(probe.radii))
        x = images[s : s + 1]
        v = batch.images - x if probe.clip else batch.noise[0].view_as(batch.images)
        scale = lengths[batch.reading, s, k].to(v.device) / torch.linalg.vector_norm(v.flatten(1), dim=1)
        yield s, batch.reading, k, x, v[None], scale
