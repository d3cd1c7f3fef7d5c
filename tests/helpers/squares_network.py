"""A network whose curvature is known: two classes, each by the square of one pixel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from advlab import testing

SIZE = 16  # values of an image
SQUARES_OPTIONS = {"experiment.points": 6, "experiment.step": 0.5, "experiment.iterations": 50}


class Squares(nn.Module):
    """F_0 = 8 (x_0 - .5)^2 and F_1 = 8 (x_1 - .5)^2: e_0 and e_1 are curved for either class, with opposite signs."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(8.0), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * (x.flatten(1)[:, :2] - 0.5).square()


def four_by_four_images(count: int = 240) -> tuple[Tensor, Tensor]:
    """Images of 4 x 4 pixels, none of them near the boundary, whose labels are the network's own predictions."""
    drawn = torch.rand(2 * count, 1, 4, 4, generator=torch.Generator().manual_seed(0)).mul(255).round().div(255)
    logits = Squares()(drawn)
    x = drawn[(logits[:, 0] - logits[:, 1]).abs() > 0.02][:count]
    return x, Squares()(x).argmax(1)


def context(experiment: str, batch_size: int = 256, **params: Any) -> Any:
    """The context of an experiment on that network."""
    options = SQUARES_OPTIONS | {f"experiment.{key}": value for key, value in params.items()}
    return testing.context(experiment, Squares(), *four_by_four_images(), options, batch_size=batch_size)
