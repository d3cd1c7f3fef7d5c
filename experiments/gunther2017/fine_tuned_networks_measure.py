"""Trains the networks of table 1 of gunther2017: a base network of each seed, and those that go on from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from advlab.data.images import ImageData
from advlab.errors import ModelError
from advlab.lab import DataContext
from advlab.models.classifier import Classifier
from advlab.training.first_images import first_images, with_images
from advlab.training.recipe import Recipe

from .fine_tuned_networks import fine_tuning

if TYPE_CHECKING:
    from .adversarial_training import AdversarialTraining

NOISE_SEED = 7_919  # added to the training's: its signs are no part of the order of the images


def base_recipe(params: AdversarialTraining.Params, ctx: DataContext) -> Recipe:
    """The run's recipe, at a share of its iterations where it counts them; one that counts epochs is left as it is."""
    recipe: Recipe = ctx.settings.recipe
    return replace(recipe, max_steps=max(1, round(params.scale * recipe.max_steps))) if recipe.max_steps else recipe


def base_network(params: AdversarialTraining.Params, ctx: DataContext, seed: int) -> Classifier:
    """The network of a seed before any fine-tuning, trained on the whole training split or from the artifacts."""
    return ctx.train(base_recipe(params, ctx), seed=seed)


def fine_tuned_network(
    experiment: AdversarialTraining, ctx: DataContext, seed: int, name: str, base: Classifier
) -> tuple[Classifier, int]:
    """A network of the table and the number of images that it was fine-tuned on; with no iterations it is the base network.

    Raises:
        ModelError: the attacks that make its images found none.
    """
    steps, recipe = experiment.fine_tuning_steps(name), ctx.settings.recipe
    if steps == 0:
        return base, 0
    data = fine_tuning_images(experiment, ctx, seed, name)
    augment = [*recipe.augment, experiment.params.pgd] if fine_tuning(name).images == "pgd" else recipe.augment
    recipe = replace(recipe, epochs=0, max_steps=steps, augment=augment)
    return ctx.train(recipe, data=data, initial=base, seed=seed), len(data)


def fine_tuning_images(experiment: AdversarialTraining, ctx: DataContext, seed: int, name: str) -> ImageData:
    """The images that a network is fine-tuned on, with the labels of the originals; PGD's are clean ones here.

    Raises:
        ModelError: the attacks that make them found none.
    """
    clean, tuning = first_images(ctx.load_split("train"), experiment.params.train_images, seed), fine_tuning(name)
    if not tuning.attacks:
        return clean
    made = [ctx.stage(f"train-{seed}-{attack}").arrays for attack in tuning.attacks]
    index = torch.cat([torch.from_numpy(arrays["index"]) for arrays in made])
    adv = torch.cat([torch.from_numpy(arrays["adv"]) for arrays in made])
    if not len(index):
        raise ModelError(
            f"{' and '.join(tuning.attacks)} found no adversarial image of the {len(clean)} that {name} is to be trained on: "
            f"type experiment.networks= without {name}, or train the base network for longer"
        )
    if tuning.images == "noise":
        adv = noisy(clean.bytes(index), adv, seed + NOISE_SEED)
    return with_images(clean, adv, clean.labels[index])


def noisy(pixels: Tensor, adv: Tensor, seed: int) -> Tensor:
    """(N, C, H, W) uint8 images, each pixel of which moves by the largest change of the adversarial image, up or down.

    That is what FGS does, with the signs drawn at random (before clipping to 0..255).
    """
    size = (adv.int() - pixels.int()).abs().flatten(1).amax(1)[:, None, None, None]
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, pixels.shape, generator=generator, dtype=torch.int8) * 2 - 1
    return (pixels.int() + size * signs).clamp_(0, 255).to(torch.uint8)
