"""Trains networks under perturbations, attacks them, and shows them the images behind the same perturbations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from advlab.attacks.norms import norms_of_each
from advlab.lab import Cell, NetworkContext
from advlab.models.classifier import Classifier, frozen
from advlab.models.forward import Forward
from advlab.training.recipe import Recipe

from .adversarial_stages import CLEAN
from .adversarial_stages_measure import predictions
from .integral_images import followed_by_integers
from .preprocessing_training import PreprocessingTraining, TrainedUnderRow
from .strength_settings import PLAIN, UNCHANGED, setting_of


def recipe_under(recipe: Recipe, perturbation: str) -> Recipe:
    """A recipe with a perturbation as its last augmentation, in whole grey levels; an adversary keeps its place behind it."""
    if perturbation == PLAIN:
        return recipe
    transforms = recipe.transforms
    own = setting_of(perturbation).augmentation
    return replace(recipe, augment=[*transforms, *own, *recipe.augment[len(transforms) :]])


def trained_network(ctx: NetworkContext, seed: int, perturbation: str) -> Classifier:
    """The run's network of a seed, trained under a perturbation or plain, or read from the artifacts."""
    return ctx.train(recipe_under(ctx.settings.recipe, perturbation), seed=seed)


def measure(experiment: PreprocessingTraining, ctx: NetworkContext, cell: Cell) -> list[TrainedUnderRow]:
    """The rows of one network."""
    seed, trained = cell.payload["seed"], cell.payload["trained"]
    shown = experiment.params.perturbations if trained == PLAIN else [trained]
    classifier = trained_network(ctx, seed, trained)
    x, labels = ctx.images_and_labels(ctx.order(experiment.params.samples))
    rows: list[TrainedUnderRow] = []
    with frozen(classifier):
        forward = ctx.forward_of(classifier)
        behind = {name: perturbed(ctx, name, forward) for name in shown}

        def add(images: str, network: str, kept: Tensor, truth: Tensor, **counts: Any) -> None:
            right = sum(a == b for a, b in zip(predictions(behind[network], kept), truth.tolist(), strict=True))
            rows.append(
                TrainedUnderRow(
                    seed=seed, trained=trained, shown=network, images=images, total=len(kept), right=right,
                    weights=classifier.digest()[:12], **counts,
                )
            )  # fmt: skip

        for kind in experiment.kinds(ctx):
            result = ctx.attack(kind.attack, x, labels, network=forward)
            index = result.success.nonzero()[:, 0]
            norms = norms_of_each(result.adv[index] - x[index], "l2").double()
            median = float(norms.median()) if len(index) else torch.nan
            for name in shown:
                tried = int(result.eligible.sum())
                add(kind.images, name, result.adv[index], labels[index], tried=tried, median_l2=median)
        behind[UNCHANGED] = forward
        for name in (UNCHANGED, *shown):
            add(CLEAN, name, x, labels, tried=len(x), median_l2=torch.nan)
    return rows


def perturbed(ctx: NetworkContext, perturbation: str, forward: Forward) -> Forward:
    """Forwards of a network behind a perturbation, the results in whole grey levels."""
    return ctx.defended(followed_by_integers(setting_of(perturbation).defense, "nearest"), network=forward)
