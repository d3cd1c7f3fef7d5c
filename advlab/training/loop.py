"""The training loop: one function that trains a network in place by a recipe."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import torch
from torch import Tensor, nn

from advlab.data.images import FilePixels
from advlab.models.classifier import Classifier
from advlab.training.adversary import Adversary
from advlab.training.augment import pipeline
from advlab.training.batches import image_batches
from advlab.training.epochs import EpochLog, EpochMeter, TrainingLog
from advlab.training.normalisation import check_pixels
from advlab.training.optimizer import RecipeOptimizer
from advlab.training.penalty import Penalty
from advlab.training.recipe import Recipe
from advlab.training.resumption import TrainingCheckpoints, TrainingState
from advlab.training.step import TrainingStep

#: called with (steps done, total steps, loss); an exception it raises ends the training
OnStep = Callable[[int, int, float], None]

#: steps between two looks at the losses on an accelerator, where each look waits for the device
READ_EVERY = 25


def has_bfloat16(device: torch.device) -> bool:
    """Whether `device` computes in bfloat16 by itself: emulation is many times slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) if torch.backends.mkldnn.is_available() else False
    return True


def train(
    network: nn.Module,
    images: Tensor | FilePixels,
    labels: Tensor,
    recipe: Recipe,
    *,
    mean: Tensor,
    std: Tensor,
    device: torch.device | str,
    seed: int,
    on_step: OnStep | None = None,
    checkpoints: TrainingCheckpoints | None = None,
) -> TrainingLog:
    """Train a network in place.

    The network sees (x - mean) / std with x in [0, 1], augmented before that. Where the recipe names an adversary, each batch
    is followed by its moved images with the same labels, or replaced by them; `adversarial_step` says whether clean and added
    images share a step. Same weights, images, recipe and seed give the same weights (on the CPU to the bit; the number of
    threads is part of that), and the global random state is left as it was. A recipe in bfloat16 is trained in float32 on a
    device that would only emulate it.

    Args:
        network: is left in evaluation mode on `device` with every `.grad` None, whatever happens.
        images: (N, C, H, W) uint8, or float32 in [0, 1]; or files, which are decoded while the network trains, to the same
            weights (see `advlab.data.ahead` for the memory that takes).
        labels: (N,) int64.
        recipe: how it is trained.
        mean: of images in [0, 1], broadcasts to (C, H, W).
        std: likewise.
        device: where it is trained.
        seed: of the order of the images, the augmentation, the adversary and dropout.
        on_step: hears of every step on the CPU, and of every 25th and the last of each epoch on an accelerator.
        checkpoints: of this very training; it goes on from the newest, to the same bytes. None: it begins, and none is kept.

    Raises:
        ValueError: the recipe trains nothing, or the data do not fit each other.
        DataError: a file is corrupt (named).
        FloatingPointError: the loss is no longer finite.
    """
    check_pixels(images)
    if not recipe.trains:
        raise ValueError("recipe 'none' trains nothing: choose a recipe, or load weights")
    if tuple(labels.shape) != (len(images),):
        raise ValueError(f"labels must be of shape ({len(images)},), one per image, got {tuple(labels.shape)}")
    device = torch.device(device)
    adversary = None
    if recipe.adversary is not None:
        shape = (images.shape[1], images.shape[2], images.shape[3])
        classifier = Classifier(network.cpu(), name="the network", shape=shape, mean=mean.cpu(), std=std.cpu())
        adversary = Adversary(classifier.to(device), *recipe.adversary)
    network.to(device)
    if isinstance(images, Tensor):
        images = images.to(device)
    labels = labels.to(device=device, dtype=torch.int64)
    if recipe.precision == "bf16" and not has_bfloat16(device):
        recipe = replace(recipe, precision="float32")
    # channels_last speeds up the CPU's convolutions in both precisions, an accelerator's only in bfloat16
    channels_last = device.type == "cpu" or recipe.precision == "bf16"
    memory_format = torch.channels_last if channels_last else torch.contiguous_format
    network.to(memory_format=memory_format)  # type: ignore[call-overload]
    seeded_devices = list(range(torch.cuda.device_count())) if device.type == "cuda" else []  # by manual_seed: all
    try:
        with torch.random.fork_rng(devices=seeded_devices):
            torch.manual_seed(seed)
            network.train()
            training_step = TrainingStep(
                network=network,
                optimizer=RecipeOptimizer(network, recipe),
                mean=mean.to(device),
                std=std.to(device),
                recipe=recipe,
                memory_format=memory_format,
                augment=pipeline(recipe.transforms),
                adversary=adversary,
                penalty=Penalty(recipe.penalty) if recipe.penalty else None,
                generator=torch.Generator(device=device).manual_seed(seed),
            )
            return _train_epochs(training_step, images, labels, seed, on_step, checkpoints)
    finally:
        network.eval()
        for parameter in network.parameters():
            parameter.grad = None
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _train_epochs(
    training_step: TrainingStep,
    images: Tensor | FilePixels,
    labels: Tensor,
    seed: int,
    on_step: OnStep | None,
    checkpoints: TrainingCheckpoints | None,
) -> TrainingLog:
    """All steps of a recipe, with its learning rates, from the newest checkpoint on."""
    recipe, device = training_step.recipe, labels.device
    total_steps, steps_per_epoch = recipe.total_steps(len(images)), recipe.steps_per_epoch(len(images))
    read_every = 1 if device.type == "cpu" else READ_EVERY
    meter, epochs = EpochMeter(device), list[EpochLog]()
    state = TrainingState(
        network=training_step.network, optimizer=training_step.optimizer.optimizer, generator=training_step.generator,
        meter=meter, epochs=epochs, total_steps=total_steps, precision=recipe.precision, started=time.perf_counter(),
    )  # fmt: skip
    before = checkpoints.resume(state) if checkpoints is not None else 0
    with closing(image_batches(images, labels, recipe.batch_size, total_steps, seed, before)) as steps:
        for done, (pixels, y) in enumerate(steps, start=before + 1):
            lr = recipe.lr_at(done - 1, total_steps)
            loss, correct = training_step(pixels, y, lr, recipe.adversary_strength(done - 1, total_steps))
            meter.add(loss, correct, len(pixels))
            epoch_ends = done % steps_per_epoch == 0 or done == total_steps
            if done % read_every == 0 or epoch_ends:
                losses = meter.read_losses()
                _check_finite(losses, done, steps_per_epoch, total_steps, recipe)
                if on_step is not None:
                    on_step(done, total_steps, losses[-1])
            if epoch_ends:
                epochs.append(meter.end_epoch((done - 1) // steps_per_epoch + 1, lr))
            if checkpoints is not None and not meter.unread_losses and done < total_steps:
                checkpoints.after(done, state)
    seconds = time.perf_counter() - state.started
    return TrainingLog(steps=total_steps, seconds=seconds, precision=recipe.precision, epochs=epochs)


def _check_finite(losses: list[float], done: int, steps_per_epoch: int, total_steps: int, recipe: Recipe) -> None:
    """Refuse losses that are infinite or NaN; they are those of the last steps of `done`."""
    for step, loss in enumerate(losses, start=done - len(losses) + 1):
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"recipe {recipe.name!r}: the loss became {loss} in epoch {(step - 1) // steps_per_epoch + 1}, step {step} of "
                f"{total_steps}: lower recipe.lr (now {recipe.lr:g})"
                + (" or set recipe.precision=float32" if recipe.precision == "bf16" else "")
            )
