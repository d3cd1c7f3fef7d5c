"""What a network does around its samples: the sweep that isotropy, topology and lipschitz share, and its cached result."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from advlab.metrics.distances import norms_and_distances
from advlab.metrics.error_probability import error_probability
from advlab.probes.sweep import Batch, Directions, sphere_batches
from advlab.store.artifacts import Arrays
from advlab.store.atomic import StorageError

if TYPE_CHECKING:
    from advlab.lab.context import Context

log = logging.getLogger(__name__)
WAITING = 1 << 27  # features of one sample and radius, about, that layers swept together have: 512 MiB a reading


@dataclass(frozen=True)
class Scores:
    """Scores of the perturbed images of some samples; 1 - s, because s sits within 1e-9 of 1.

    Attributes:
        clean: (samples,) float64 of 1 - s of the clean image.
        deficit: (readings, samples, radii, trials) float64 of 1 - s; NaN where a logit is not finite.
        hit: the same shape, bool: classified correctly.
    """

    clean: Tensor
    deficit: Tensor
    hit: Tensor


@dataclass(frozen=True)
class Neighbourhood(Scores):
    """With the distances in the image and in the features of each layer.

    Attributes:
        length: (readings, samples, radii, trials) float32 of ||v||, Euclidean, pixels in [0, 1].
        moved: (layers, readings, samples, radii, trials) float32 of ||Phi_L(x + v) - Phi_L(x)||.
        inner: (readings, samples, radii, pairs) float32 distances of the perturbed images of one (sample, radius).
        outer: (layers, readings, samples, radii, pairs) float32 distances of their features.
        width: (layers,) int64: R, the number of features of each layer.
    """

    length: Tensor
    moved: Tensor
    inner: Tensor
    outer: Tensor
    width: Tensor


def resolve_layers(ctx: Context) -> list[str]:
    """The layers that the probe names; `all` is every one in front of the classification layer.

    Raises:
        ModelError: there are none.
    """
    from advlab.errors import ModelError

    assert ctx.classifier is not None
    named: list[str] = ctx.settings.probe.layer
    if named != ["all"]:
        return named
    found = ctx.classifier.layers()
    if not found:
        raise ModelError(f"{ctx.classifier.name} has no layer in front of its classification layer")
    return found


def check_layers(ctx: Context) -> list[str]:
    """The layers that the probe names, each seen to give features.

    Raises:
        ModelError: one is not there, or gives no tensor with a row an image.
    """
    from advlab.models.classifier import frozen

    layers, classifier = resolve_layers(ctx), ctx.classifier
    assert classifier is not None
    with frozen(classifier), torch.no_grad():
        classifier.layer_features(torch.zeros((2, *classifier.shape), device=classifier.device), layers)
    return layers


def scores(ctx: Context, samples: Sequence[int]) -> Scores:
    """Scores around some samples: from the kept neighbourhood where there is one, else by a sweep.

    With `probe.keep` the sweep takes the distances along and keeps them, where the network has a layer of features.
    """
    probe = ctx.settings.probe
    assert ctx.classifier is not None
    if ctx.classifier.head:
        if probe.keep:
            return neighbourhood(ctx, samples)
        found = ctx.artifacts.find("neighbourhood", _key(ctx, samples, resolve_layers(ctx)))
        if found is not None:
            return _load(ctx, found.arrays)
    return _sweep(ctx, samples, [], ctx.draws)


def sweep_scores(ctx: Context, samples: Sequence[int], draws: Directions) -> Scores:
    """Scores around some samples in other directions than the probe's; nothing is kept."""
    found: Scores = _sweep(ctx, samples, [], draws)
    return found


def neighbourhood(ctx: Context, samples: Sequence[int]) -> Neighbourhood:
    """Scores and distances around some samples, swept once and kept in the artifact cache.

    A cache that cannot be written costs the others a sweep of their own, and no result: it is a warning.
    """
    layers = resolve_layers(ctx)
    made: Arrays = {}

    def make() -> tuple[Arrays, dict[str, Any]]:
        swept = _sweep(ctx, samples, layers, ctx.draws)
        made.update({f.name: getattr(swept, f.name).cpu().numpy() for f in fields(swept)})
        return made, {"layers": layers}

    try:
        return _load(ctx, ctx.artifacts.get("neighbourhood", _key(ctx, samples, layers), make).arrays)
    except StorageError as error:
        if not made:
            raise
        log.warning("the distances are not kept for other experiments: %s", error)
        return _load(ctx, made)


def _load(ctx: Context, arrays: Arrays) -> Neighbourhood:
    device = torch.device("cpu") if ctx.device.type == "mps" else ctx.device  # it has no float64
    return Neighbourhood(**{name: torch.from_numpy(array).to(device) for name, array in arrays.items()})


def _key(ctx: Context, samples: Sequence[int], layers: list[str]) -> dict[str, Any]:
    """Everything that decides the numbers."""
    probe, run = ctx.settings.probe, ctx.settings.run
    assert ctx.data is not None
    assert ctx.classifier is not None
    key = {
        "version": 3, "weights": ctx.weights, "behaviour": ctx.classifier.behaviour,
        "model": ctx.settings.nodes["model"], "data": ctx.data.digest,
        "split": f"{ctx.data.name}/{ctx.data.split}", "seed": run.seed, "precision": run.precision,
        "samples": list(samples), "layers": layers, "radii": probe.radii, "trials": probe.trials, "clip": probe.clip,
        "readings": [list(reading) for reading in probe.readings], "noise": ctx.draws.kind, "direction": probe.direction,
    }  # fmt: skip
    return key if probe.direction == "random" else {**key, "spread": probe.spread}


def _sweep(ctx: Context, samples: Sequence[int], layers: list[str], draws: Directions) -> Any:
    """The forwards: `Scores` without layers, else `Neighbourhood`."""
    probe, forward, execution, data = ctx.settings.probe, ctx.forward, ctx.execution, ctx.data
    assert data is not None
    assert forward is not None
    assert execution is not None
    index = torch.tensor(samples)
    x, labels = data.images(index), data.labels[index.to(data.device)]
    logits, clean = forward.layer_features(x, layers)
    deficit, _ = error_probability(logits, labels)
    shape = (len(probe.readings), len(samples), len(probe.radii), probe.trials)
    gathered = logits.new_empty(shape[0], shape[1] * shape[2], probe.trials, logits.shape[-1])
    spaces: list[tuple[Tensor, Tensor]] = []  # norms and distances: of the images, then of each layer's features
    for n, group in enumerate(layer_groups([origin.shape[1] for origin in clean], probe.trials) if layers else [[]]):
        origins = [clean[layer] for layer in group]
        distances = _Distances(shape, [x.flatten(1), *origins] if n == 0 else origins) if layers else None
        for batch in sphere_batches(x, samples, probe, draws, execution):
            out, features = forward.layer_features(batch.images, [layers[layer] for layer in group])
            out = out.view(batch.units, -1, out.shape[-1])
            units = slice(batch.first, batch.first + batch.units)
            gathered[batch.reading, units, batch.start : batch.start + out.shape[1]] = out
            if distances is not None:
                distances.add(batch, [batch.images.flatten(1), *features] if n == 0 else features)
        if distances is not None:
            spaces += zip(distances.norms, distances.pairs, strict=True)
    perturbed, hit = error_probability(gathered.view(*shape, -1), labels[:, None, None])
    if not layers:
        return Scores(deficit, perturbed, hit)
    norms, pairs = (torch.stack(found).unflatten(2, shape[1:3]) for found in zip(*spaces, strict=True))
    width = torch.tensor([origin.shape[1] for origin in clean])
    return Neighbourhood(
        deficit, perturbed, hit, length=norms[0], moved=norms[1:], inner=pairs[0], outer=pairs[1:], width=width
    )


def layer_groups(widths: list[int], trials: int) -> list[list[int]]:
    """Indices of the layers that are swept together: the features of T perturbed images may have to wait for each other.

    Args:
        widths: R of each layer.
        trials: T.
    """
    groups: list[list[int]] = []
    held = 0
    for layer, width in enumerate(widths):
        if not groups or (held + width) * trials > WAITING:
            groups.append([])
            held = 0
        groups[-1].append(layer)
        held += width
    return groups


class _Distances:
    """Gathers lengths and pairwise distances, batch by batch; a unit that spans batches is complete with its last.

    Args:
        shape: (readings, samples, radii, trials).
        origins: (samples, R) of the clean images in each space: pixels, or features of a layer.
    """

    def __init__(self, shape: tuple[int, int, int, int], origins: list[Tensor]) -> None:
        readings, samples, self.radii, self.trials = shape
        units, pairs = samples * self.radii, self.trials * (self.trials - 1) // 2
        self.origins = origins
        self.norms = origins[0].new_empty(len(origins), readings, units, self.trials)
        self.pairs = origins[0].new_empty(len(origins), readings, units, pairs)
        self.waiting: dict[tuple[int, int], list[Tensor]] = {}

    def add(self, batch: Batch, spaces: list[Tensor]) -> None:
        """Take the (n, R) points of one batch in each space."""
        units = slice(batch.first, batch.first + batch.units)
        sample = torch.arange(batch.first, batch.first + batch.units, device=batch.images.device) // self.radii
        for space, (origin, points) in enumerate(zip(self.origins, spaces, strict=True)):
            moved = points.view(batch.units, -1, points.shape[-1]) - origin[sample][:, None]
            if moved.shape[1] < self.trials:
                parts = self.waiting.setdefault((space, batch.reading), [])
                parts.append(moved)
                if batch.start + moved.shape[1] < self.trials:
                    continue
                moved = torch.cat(self.waiting.pop((space, batch.reading)), 1)
            norms, pairs = norms_and_distances(moved)
            self.norms[space, batch.reading, units], self.pairs[space, batch.reading, units] = norms, pairs
