"""The sweep around a run's samples, made once and kept in the artifact cache for isotropy, topology and lipschitz."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch

from advlab.config.identity import essential_parameters
from advlab.lab.layers import probed_layers
from advlab.lab.network_context import NetworkContext
from advlab.models.classifier import frozen
from advlab.probes.neighbourhood import (
    Neighbourhood,
    PerturbedImages,
    Scores,
    sweep_neighbourhood,
    sweep_scores,
)
from advlab.probes.sweep import Directions
from advlab.store.artifacts import Arrays
from advlab.store.atomic import StorageError

log = logging.getLogger(__name__)

#: Field of `Neighbourhood` -> array name in the file. The names are those of version 0.1 (deficit: 1 - score), so that
#: artifacts made then are read.
ARRAY_NAMES = {
    "clean_error_probability": "clean",
    "error_probability": "deficit",
    "correct": "hit",
    "lengths": "length",
    "feature_shifts": "moved",
    "image_distances": "inner",
    "feature_distances": "outer",
    "widths": "width",
}


def checked_layers(ctx: NetworkContext) -> list[str]:
    """The layers that the probe names, after a forward of two empty images has shown that each gives features.

    Raises:
        ModelError: one is not there, or gives no tensor with a row an image.
    """
    layers, classifier = probed_layers(ctx), ctx.classifier
    with frozen(classifier), torch.no_grad():
        classifier.layer_features(torch.zeros((2, *classifier.shape), device=classifier.device), layers)
    return layers


def scores_around(ctx: NetworkContext, samples: Sequence[int]) -> Scores:
    """Scores around some samples: from the kept neighbourhood where there is one, else by a sweep.

    With `probe.keep` the sweep takes the distances along and keeps them, where the network has a layer of features.
    """
    if ctx.classifier.head:
        if ctx.settings.probe.keep:
            return neighbourhood_of(ctx, samples)
        kept = ctx.artifacts.find("neighbourhood", _key(ctx, samples, probed_layers(ctx)))
        if kept is not None:
            return _on_device(ctx, kept.arrays)
    return scores_in_directions(ctx, samples, ctx.draws)


def scores_in_directions(ctx: NetworkContext, samples: Sequence[int], directions: Directions) -> Scores:
    """Scores around some samples in any directions, by a sweep that is not kept."""
    return sweep_scores(_perturbed_images(ctx, samples, directions))


def neighbourhood_of(ctx: NetworkContext, samples: Sequence[int]) -> Neighbourhood:
    """Scores and distances around some samples, swept once and kept in the artifact cache.

    A cache that cannot be written costs the other experiments a sweep of their own, and no result: it is a warning.
    """
    layers = probed_layers(ctx)
    made: Arrays = {}

    def make() -> tuple[Arrays, dict[str, Any]]:
        neighbourhood = sweep_neighbourhood(_perturbed_images(ctx, samples, ctx.draws), layers)
        made.update({name: getattr(neighbourhood, field).cpu().numpy() for field, name in ARRAY_NAMES.items()})
        return made, {"layers": layers}

    try:
        return _on_device(ctx, ctx.artifacts.get("neighbourhood", _key(ctx, samples, layers), make).arrays)
    except StorageError as error:
        if not made:
            raise
        log.warning("the distances are not kept for other experiments: %s", error)
        return _on_device(ctx, made)


def _perturbed_images(ctx: NetworkContext, samples: Sequence[int], directions: Directions) -> PerturbedImages:
    x, labels = ctx.images_and_labels(samples)
    return PerturbedImages(ctx.forward, x, labels, samples, ctx.settings.probe, directions, ctx.execution)


def _on_device(ctx: NetworkContext, arrays: Arrays) -> Neighbourhood:
    device = torch.device("cpu") if ctx.device.type == "mps" else ctx.device  # MPS has no float64
    return Neighbourhood(**{field: torch.from_numpy(arrays[name]).to(device) for field, name in ARRAY_NAMES.items()})


def _key(ctx: NetworkContext, samples: Sequence[int], layers: list[str]) -> dict[str, Any]:
    """Everything that decides the numbers, for the key of the artifact."""
    probe, run = ctx.settings.probe, ctx.settings.run
    directions = {"direction": probe.direction}
    if probe.direction != "random":
        directions["spread"] = probe.spread
    return ctx.key(
        version=3, model=essential_parameters("model", ctx.settings.nodes["model"]), seed=run.seed, samples=samples,
        layers=layers, radii=probe.radii, trials=probe.trials, clip=probe.clip, readings=probe.readings,
        noise=ctx.draws.kind, **directions,
    )  # fmt: skip
