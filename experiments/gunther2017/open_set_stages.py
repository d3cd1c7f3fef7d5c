"""What the open set experiments make once: activations of the training images, a softmax threshold, and fooling images."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from advlab.attacks import Fooling
from advlab.lab import Cost, NetworkContext, Stage

from .open_set_variants import OpenSetParams, layers_and_distances, paper_defense

THRESHOLD = "threshold"
FOOLING = "fooling"


def activations_id(layer: str) -> str:
    """Of the stage of a layer."""
    return f"activations-{layer}"


def activation_stages(ctx: NetworkContext, params: OpenSetParams) -> list[Stage]:
    """A stage for each layer, from the training images.

    Its arrays are:

    - `means` (C, R) float64; `labels`, `predictions` (N,);
    - `cosine`, `euclidean`, `eucos` (N,) float64: of those that some variant takes, distances to the mean of the own class.
    """
    layers, distances = layers_and_distances(params)
    train = ctx.split("train")
    made = importlib.import_module(f"{__package__}.open_set_stages_measure")  # loads torch, which listing does without
    return [
        Stage(
            activations_id(layer), ctx.key(version=1, images=train, layer=layer, distances=distances),
            partial(made.activations, ctx, layer, distances), Cost(forwards=len(train)), kind="open_set_activations",
        )
        for layer in layers
    ]  # fmt: skip


def threshold_stage(ctx: NetworkContext, params: OpenSetParams, samples: Sequence[int]) -> Stage:
    """The threshold on softmax that accepts and classifies correctly as many images as the paper's open set network.

    Its arrays are `threshold` (1,), and `accuracy` (2,): of the network, and of the open set network.
    """
    made = importlib.import_module(f"{__package__}.open_set_stages_measure")  # loads torch
    base = paper_defense(params)
    key = ctx.key(version=1, defense=base, samples=list(samples))
    make = partial(made.threshold, ctx, base, list(samples))
    return Stage(
        THRESHOLD, key, make, Cost(forwards=len(samples)), kind="open_set_threshold", stages=(activations_id(base.layer),)
    )  # fmt: skip


def fooling_stage(
    ctx: NetworkContext, *, classes: Sequence[int], starts: int, levels: Sequence[float], one_start_for_all: bool
) -> Stage:
    """Fooling images of each class from random starts, at each level of the class's probability (section 1.1).

    Its arrays are:

    - `starts` (S, C, H, W) uint8; `start` and `target` (N,): which start and class each ascent has;
    - `start_class` (N,), and `start_probability` (N,) of the target in the start;
    - `adv` (L, N, C, H, W) float32, `success` (L, N): of ascents that begin below the lowest level alone;
    - `steps` (L, N), `probability` (L, N) of the target.

    Args:
        ctx: of the run.
        classes: to reach.
        starts: of each class.
        levels: probabilities.
        one_start_for_all: all classes ascend from the same starts; otherwise each has its own.
    """
    made = importlib.import_module(f"{__package__}.open_set_stages_measure")  # loads torch
    attack, seed, ascents = Fooling(), ctx.settings.run.seed, len(classes) * starts
    options: dict[str, Any] = {
        "classes": list(classes), "starts": starts, "levels": sorted(levels), "one_start_for_all": one_start_for_all,
    }  # fmt: skip
    key = ctx.key(version=1, attack=attack, seed=seed, **options)
    make = partial(made.fooling_images, ctx, attack, seed, **options)
    return Stage(FOOLING, key, make, Cost(forwards=60 * ascents, backwards=50 * ascents), kind="gunther2017-fooling")
