"""A session's network and images, and a tiny run of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

import advlab

PROBE_OF = {"confidence": 0.2, "samples": 3, "trials": 8, "radii": [0.1, 1.0]}


def a_network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def some_images(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return torch.rand(30, 1, 8, 8), torch.arange(30) % 3


def run_of(**options: Any) -> advlab.Run:
    """A tiny run of isotropy."""
    return advlab.run("isotropy", preset="tiny", device="cpu", **{"probe": PROBE_OF, **options})
