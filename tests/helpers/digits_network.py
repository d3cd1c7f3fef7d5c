"""A small convolutional network that has learnt the embedded digits, for tests that need confident answers on real images."""

from __future__ import annotations

import functools
import gzip
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import advlab.data

TRAINING_IMAGES = 1200


@functools.cache
def trained_on_digits(width: int = 8, steps: int = 200) -> tuple[nn.Sequential, Tensor, Tensor]:
    """The network in evaluation mode, and test images (N, 1, 8, 8) in [0, 1] that it classifies as their labels (N,).

    Args:
        width: channels of the first convolution.
        steps: of Adam, on 100 images each.
    """
    with gzip.open(Path(advlab.data.__file__).with_name("digits.csv.gz"), "rt") as file:
        table = torch.from_numpy(np.loadtxt(file, delimiter=",", dtype=np.float32))
    x, y = (table[:, :64] / 16).view(-1, 1, 8, 8), table[:, 64].long()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(32 * width, 10),
        )  # fmt: skip
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        for _ in range(steps):
            batch = torch.randint(TRAINING_IMAGES, (100,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    net.eval().requires_grad_(False)
    right = net(x[TRAINING_IMAGES:]).argmax(1) == y[TRAINING_IMAGES:]
    return net, x[TRAINING_IMAGES:][right], y[TRAINING_IMAGES:][right]
