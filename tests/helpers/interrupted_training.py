"""Small trainings by recipes of every kind, which end at a step when they are told so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from advlab.data.decode import decoder
from advlab.data.images import FilePixels
from advlab.training.loop import OnStep, train
from advlab.training.recipe import Recipe
from advlab.training.resumption import TrainingCheckpoints

BASE = Recipe(name="test", epochs=5, batch_size=16, lr=0.05)  # of 70 images: 5 epochs of 4 steps
RECIPES = {
    "warmup": replace(BASE, warmup=0.4, weight_decay=5e-4, nesterov=True, augment=["crop:1", "flip"], bias_lr=2.0),
    "cosine": replace(BASE, schedule="cosine", optimizer="adam", lr=1e-3, label_smoothing=0.1),
    "pgd": replace(BASE, optimizer="adam", lr=1e-3, augment=["crop:1", "pgd_linf:0.1,0.05,2"], epsilon_warmup=0.5),
    "hard": replace(BASE, optimizer="adamw", lr=1e-3, augment=["hard:2,0.2"], precision="bf16", weight_decay=0.05),
    "plain": replace(BASE, momentum=0.0, schedule="inv", augment=["hard_noise:1,0.3"], epochs=0, max_steps=19),
}


class Death(Exception):
    """The process ends."""


def training_images() -> tuple[Tensor, Tensor]:
    """(70, 1, 8, 8) uint8 images, and their labels."""
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 3, (70,), generator=generator)
    noise = torch.randint(0, 60, (70, 1, 8, 8), generator=generator)
    return (noise + 60 * labels.view(-1, 1, 1, 1)).to(torch.uint8), labels


def images_in_files(folder: Path) -> FilePixels:
    """The same images as PNG files, decoded whenever they are needed."""
    paths = [folder / f"{number}.png" for number in range(70)]
    folder.mkdir()
    for image, path in zip(training_images()[0], paths, strict=True):
        Image.fromarray(image[0].numpy()).save(path)
    return FilePixels(paths, decoder((1, 8, 8), 1.0, "crop", "bilinear"), (1, 8, 8))


def training(
    recipe: Recipe,
    checkpoints: TrainingCheckpoints | None,
    on_step: OnStep | None = None,
    files: FilePixels | None = None,
) -> Any:
    """Weights and buffers as bytes, and the log, of a network with batch norm and dropout; of images in memory or of files."""
    images, labels = training_images()
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 5, 3), nn.Dropout(0.3), nn.Flatten(), nn.Linear(80, 3)
    )  # fmt: skip
    zero, one = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    log = train(
        network,
        files or images,
        labels,
        recipe,
        mean=zero,
        std=one,
        device="cpu",
        seed=3,
        on_step=on_step,
        checkpoints=checkpoints,
    )
    return {name: value.numpy().tobytes() for name, value in network.state_dict().items()}, log


def dying_at(moment: int) -> OnStep:
    def on_step(done: int, total: int, loss: float) -> None:
        if done == moment:
            raise Death

    return on_step
