"""What a training reports: its log, an entry for each epoch, and the sums from which the entries are made."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class EpochLog:
    """One pass over the training images.

    Attributes:
        epoch: its number, from 1.
        lr: learning rate of its last step.
        loss: mean over its batches, each before the step that it caused.
        accuracy: on its (augmented) images, likewise; the points that an adversary added are left out.
        seconds: by the wall clock.
    """

    epoch: int
    lr: float
    loss: float
    accuracy: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TrainingLog:
    """What one training did, and the precision it ran in: the recipe's, or float32 where that is not available."""

    steps: int
    seconds: float
    precision: str
    epochs: list[EpochLog] = field(default_factory=list)


class EpochMeter:
    """Sums over the running epoch. Losses stay on the device until they are read, which waits for it to finish.

    Args:
        device: where the network is trained.
    """

    def __init__(self, device: torch.device) -> None:
        self.unread_losses: list[Tensor] = []
        self.correct = torch.zeros((), dtype=torch.int64, device=device)
        self.loss_sum, self.steps, self.images = 0.0, 0, 0
        self.started = time.perf_counter()

    def add(self, loss: Tensor, correct: Tensor, images: int) -> None:
        """Add one step: its loss and the number of its `images` that were classified correctly, both on the device."""
        self.unread_losses.append(loss)
        self.correct += correct
        self.images += images
        self.steps += 1

    def read_losses(self) -> list[float]:
        """The losses of the steps since the last call, in order."""
        losses: list[float] = torch.stack(self.unread_losses).tolist()
        self.unread_losses.clear()
        self.loss_sum += sum(losses)
        return losses

    def sums(self) -> dict[str, float]:
        """The sums over the running epoch so far, all of whose losses were read, as `restore` takes them."""
        return {
            "loss_sum": self.loss_sum, "correct": int(self.correct), "steps": self.steps, "images": self.images,
            "seconds": time.perf_counter() - self.started,
        }  # fmt: skip

    def restore(self, sums: Mapping[str, Any]) -> None:
        """Go on with the sums of an epoch that was interrupted."""
        self.loss_sum, self.steps, self.images = float(sums["loss_sum"]), sums["steps"], sums["images"]
        self.correct.fill_(sums["correct"])
        self.started = time.perf_counter() - sums["seconds"]

    def end_epoch(self, epoch: int, lr: float) -> EpochLog:
        """The entry of the epoch that ends now, all of whose losses were read; the sums begin anew."""
        now = time.perf_counter()
        log = EpochLog(
            epoch=epoch,
            lr=lr,
            loss=self.loss_sum / self.steps,
            accuracy=int(self.correct) / self.images,
            seconds=now - self.started,
        )
        self.loss_sum, self.steps, self.images, self.started = 0.0, 0, 0, now
        self.correct.zero_()
        return log
