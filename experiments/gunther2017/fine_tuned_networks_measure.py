"""Trains the networks of table 1 of gunther2017: a base network of each seed, and those that go on from it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advlab.attacks.grey_levels import in_grey_levels
from advlab.data.images import ImageData, tensor_digest
from advlab.errors import ModelError
from advlab.lab import DataContext
from advlab.models.classifier import Classifier
from advlab.probes.selection import order
from advlab.training.recipe import Recipe
from advlab.training.recipe_text import parse_augmentation

from .fine_tuned_networks import NETWORKS

if TYPE_CHECKING:
    from .adversarial_training import AdversarialTraining

NOISE_SEED = 7_919  # added to the training's: its signs are no part of the order of the images


def training_images(train_images: int, ctx: DataContext, seed: int) -> ImageData:
    """The first images of an order of the training split by the seed, on the CPU.

    Args:
        train_images: how many; 0: all.
        ctx: of the run.
        seed: of the order.

    Raises:
        ModelError: the images are streamed from files.
    """
    data = ctx.load_split("train")
    if not isinstance(data.pixels, Tensor):
        raise ModelError(f"{data.name} is too large to train on here (it is streamed): choose another dataset")
    if not 0 < train_images < len(data):
        return data
    return with_images(data, *of_index(data, torch.from_numpy(order(data, seed)[:train_images])))


def of_index(data: ImageData, index: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels and labels of some images in memory."""
    assert isinstance(data.pixels, Tensor)
    return data.pixels[index], data.labels[index]


def with_images(data: ImageData, pixels: Tensor, labels: Tensor) -> ImageData:
    """The same dataset with other images, (N, C, H, W) in the dataset's own type, and labels (N,)."""
    return replace(data, pixels=pixels, labels=labels, digest=tensor_digest(pixels, labels))


def base_recipe(params: AdversarialTraining.Params, ctx: DataContext) -> Recipe:
    """The run's recipe at a share of its length."""
    recipe: Recipe = ctx.settings.recipe
    if recipe.max_steps:
        return replace(recipe, max_steps=max(1, round(params.scale * recipe.max_steps)))
    steps = recipe.total_steps(len(training_images(params.train_images, ctx, 0)))
    return replace(recipe, epochs=0, max_steps=max(1, round(params.scale * steps)))


def base_network(params: AdversarialTraining.Params, ctx: DataContext, seed: int) -> Classifier:
    """The network of a seed before any fine-tuning, trained or from the artifacts."""
    return ctx.train(base_recipe(params, ctx), data=training_images(params.train_images, ctx, seed), seed=seed)


def fine_tuned_network(
    experiment: AdversarialTraining, ctx: DataContext, seed: int, name: str, base: Classifier
) -> tuple[Classifier, int]:
    """One of NETWORKS and the number of images that it was fine-tuned on; with no iterations it is the base network.

    Raises:
        ModelError: the attack that makes its images found none.
    """
    params, kind = experiment.params, NETWORKS[name]
    clean = training_images(params.train_images, ctx, seed)
    data, recipe, steps = clean, ctx.settings.recipe, experiment.fine_tuning_steps(name)
    if kind.attack:
        made = ctx.stage(f"train-{seed}-{kind.attack}").arrays
        index, adv = torch.from_numpy(made["index"]), torch.from_numpy(made["adv"])
        if not len(index):
            raise ModelError(
                f"{kind.attack} found no adversarial image of {len(clean)}, on which {name} is to be trained"
            )
        labels = clean.labels[index]
        if kind.images == "noise":
            adv = noisy(grey(clean.images(index)), adv, seed + NOISE_SEED)
        data = with_images(clean, adv, labels)
    if kind.images == "pgd":
        recipe = replace(recipe, augment=[*recipe.augment, params.pgd])
        steps = math.ceil(steps / (1 + round(parse_augmentation(params.pgd)[1][2])))
    if steps == 0:
        return base, 0
    recipe = replace(recipe, epochs=0, max_steps=steps)
    return ctx.train(recipe, data=data, initial=base, seed=seed), len(data)


def noisy(pixels: Tensor, adv: Tensor, seed: int) -> Tensor:
    """(N, C, H, W) uint8 images, each pixel of which moves by the largest change of the adversarial image, up or down.

    That is what FGS does, with the signs drawn at random (before clipping to 0..255).
    """
    size = (adv.int() - pixels.int()).abs().flatten(1).amax(1)[:, None, None, None]
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, pixels.shape, generator=generator, dtype=torch.int8) * 2 - 1
    return (pixels.int() + size * signs).clamp_(0, 255).to(torch.uint8)


def grey(x: Tensor) -> Tensor:
    """(N, C, H, W) images in [0, 1] as uint8 grey levels."""
    return (in_grey_levels(x, (0.0, 1.0)) * 255).round().to(torch.uint8)
