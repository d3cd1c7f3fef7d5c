"""Trains the networks of figure 5 of barati2021: one on the whole training set, the others on the same share of it."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from advlab.data.images import ImageData
from advlab.lab import DataContext
from advlab.models.classifier import Classifier
from advlab.training.adversary import Adversary, distances
from advlab.training.first_images import chosen_images

from .hard_point_training import HardPointTraining
from .training_variants import ADVERSARIES, REACH_IMAGES


def trained_network(params: HardPointTraining.Params, ctx: DataContext, name: str, seed: int) -> Classifier:
    """A network by the run's model and recipe, trained or from the artifacts.

    Args:
        params: of the experiment.
        ctx: of the run.
        name: one of NETWORKS.
        seed: of the choice of the share, the initial weights and the order of the images.

    Raises:
        ModelError: the training images are streamed from files, or training diverged.
    """
    recipe = ctx.settings.recipe
    if name in ADVERSARIES:
        entry = f"{ADVERSARIES[name]}:{params.steps},{params.step:g}"
        recipe = replace(recipe, augment=[*recipe.augment, entry])
    else:
        recipe = replace(recipe, adversarial_step="joint")  # it has no points: one network, whatever is typed
    share = 1.0 if name == "reference" else params.share
    return ctx.train(recipe, data=training_set(ctx, seed, share, params.train_images), seed=seed)


def training_set(ctx: DataContext, seed: int, share: float, train_images: int) -> ImageData:
    """The first images of a seeded order of the training split, on the CPU.

    The share is part of the whole, and the same for every network of a seed.

    Args:
        ctx: of the run.
        seed: of the order.
        share: of the whole set that is taken.
        train_images: of the whole set; 0: all.

    Raises:
        ModelError: the images are streamed from files.
    """
    data = ctx.load_split("train")
    size = max(1, round(share * min(train_images or len(data), len(data))))
    # an order of its own, older than that of `first_images`: networks that were trained on it are kept
    drawn = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    return chosen_images(data, None if size == len(data) else drawn[:size])


def training_point_distance(
    params: HardPointTraining.Params, ctx: DataContext, name: str, classifier: Classifier
) -> float:
    """Mean L2 distance from test images of the points that a network would be trained on next; NaN: there are none.

    It is less than the length of all steps together, since steps turn and are clipped.

    Args:
        params: of the experiment.
        ctx: of the run.
        name: one of NETWORKS.
        classifier: that network, trained.
    """
    if name not in ADVERSARIES:
        return math.nan
    x, labels = ctx.images_and_labels(ctx.prepared["samples"][:REACH_IMAGES])
    adversary = Adversary(classifier, ADVERSARIES[name], (float(params.steps), params.step))
    generator = torch.Generator(device=x.device).manual_seed(ctx.settings.run.seed)
    passes = params.steps * len(x)
    ctx.count(forwards=passes, backwards=passes)
    return float(distances(x, adversary(x, labels, generator)).mean())
