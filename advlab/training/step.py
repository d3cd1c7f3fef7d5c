"""One step of a training: a batch's images augmented, moved by the adversary, and a step down the loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from advlab.data.images import unit_interval
from advlab.training.adversary import Adversary
from advlab.training.augment import Augmentation
from advlab.training.optimizer import RecipeOptimizer
from advlab.training.penalty import Penalty
from advlab.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class TrainingStep:
    """Everything that one step needs, on the training's device.

    Attributes:
        network: in training mode.
        optimizer: of its parameters.
        mean: of images in [0, 1], broadcasts to (C, H, W).
        std: likewise.
        recipe: its precision and label smoothing are read here.
        memory_format: of the network and its inputs.
        augment: changes the images of a batch at random.
        adversary: adds points to each batch, or replaces its images; None: plain training.
        penalty: is added to the loss; None: the cross-entropy alone.
        generator: of augmentation, adversary and penalty.
    """

    network: nn.Module
    optimizer: RecipeOptimizer
    mean: Tensor
    std: Tensor
    recipe: Recipe
    memory_format: torch.memory_format
    augment: Augmentation
    adversary: Adversary | None
    penalty: Penalty | None
    generator: torch.Generator

    def __call__(self, pixels: Tensor, y: Tensor, lr: float, strength: float) -> tuple[Tensor, Tensor]:
        """Step on a batch of n images; the batch's loss, and how many of its first n images were right.

        Args:
            pixels: (n, C, H, W) uint8, or float32 in [0, 1].
            y: (n,) int64, their labels.
            lr: learning rate of ordinary weights.
            strength: of the adversary.
        """
        device_type, low_precision, count = pixels.device.type, self.recipe.precision == "bf16", len(pixels)
        x = self.augment(unit_interval(pixels), self.generator)
        with torch.autocast(device_type, torch.bfloat16, enabled=low_precision):
            if self.adversary is not None:
                x, y = self.adversary.batch(x, y, self.generator, strength)
            x = x.sub_(self.mean).div_(self.std).contiguous(memory_format=self.memory_format)
        losses, correct = list[Tensor](), list[Tensor]()
        step_size = count if self.recipe.adversarial_step == "separate" else len(x)  # the points follow the images
        for inputs, targets in zip(x.split(step_size), y.split(step_size), strict=True):
            with torch.autocast(device_type, torch.bfloat16, enabled=low_precision):
                logits = self.network(inputs)
            loss = F.cross_entropy(logits.float(), targets, label_smoothing=self.recipe.label_smoothing)
            if self.penalty is not None:
                loss = loss + self.penalty(self.network, inputs, targets, self.std, self.generator)
            self.optimizer.step(loss, lr)
            losses.append(loss.detach())
            correct.append((logits.detach()[:count].argmax(dim=1) == targets[:count]).sum())
        return torch.stack(losses).mean(), correct[0]
