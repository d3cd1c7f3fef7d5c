"""A network whose mean Hessian is known: one class rises along U on both sides, falls along V, and depends on nothing else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

RISES, FALLS = 4.0, -3.0  # curvatures of class 0


def pattern(*signs: float) -> Tensor:
    """(36,) unit vector that repeats the signs: stripes without a mean."""
    values = torch.tensor(signs).repeat(36 // len(signs)).double()
    return values / values.norm()


U, V = pattern(1, -1), pattern(1, 1, -1, -1)


class Quadratic(nn.Module):
    """Logits 2 (x.u)^2 - 1.5 (x.v)^2 - .1, .1 x.u and -.1 x.u: the Hessian of the first less another is diag(4, -3, 0, ...)."""

    def __init__(self) -> None:
        super().__init__()
        self.axes = nn.Parameter(torch.stack([U, V]).float())

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3) logits of (n, 1, 6, 6) images."""
        a, b = (x.flatten(1) @ self.axes.T).unbind(1)
        return torch.stack([RISES / 2 * a**2 + FALLS / 2 * b**2 - 0.1, 0.1 * a, -0.1 * a], 1)


def six_by_six_images(count: int) -> tuple[Tensor, Tensor]:
    """Random images on grey levels and labels that say nothing."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(count, 1, 6, 6, generator=generator).mul(255).round() / 255
    return x, torch.arange(count) % 3
