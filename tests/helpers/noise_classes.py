"""A small network with a hidden layer, and images of noise that it mostly classifies as they are labelled."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NOISE_SHAPE = (1, 6, 6)
CLASS_COUNT = 3


def network() -> nn.Sequential:
    """36 pixels, 12 hidden units, 3 classes: templates and a little else."""
    torch.manual_seed(0)
    first, last = nn.Linear(36, 12), nn.Linear(12, CLASS_COUNT)
    first.weight.data *= 3
    last.weight.data *= 8
    return nn.Sequential(nn.Flatten(), first, nn.ReLU(), last)


def images_and_labels(n: int = 240) -> tuple[Tensor, Tensor]:
    """(n, 1, 6, 6) whole grey levels, labelled as the network classifies them but for one in thirty."""
    pixels = torch.randint(256, (n, *NOISE_SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        labels = network()(pixels.float() / 255).argmax(1)
    labels[::30] = (labels[::30] + 1) % CLASS_COUNT
    return pixels, labels
