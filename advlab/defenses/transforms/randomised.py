"""Random stages: a shift in one of four directions, and Gaussian noise."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.defenses.draws import Draw
from advlab.defenses.transforms.stage import ImageTransform

DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1))  # down, right


class RandomShift(ImageTransform):
    """A shift by `pixels` in one of four directions, with wrap."""

    random = True

    def __init__(self, pixels: int, seed: int) -> None:
        super().__init__()
        self.pixels, self.seed = pixels, seed

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`."""
        assert draw is not None
        n, channels, height, width = x.shape
        direction = draw.stream(self.seed).integers(4)
        down, right = self.pixels * torch.tensor(DIRECTIONS, device=x.device)[direction].T  # (n,) each
        rows = (torch.arange(height, device=x.device) - down[:, None]) % height
        columns = (torch.arange(width, device=x.device) - right[:, None]) % width
        source = (rows[:, :, None] * width + columns[:, None, :]).view(n, 1, -1).expand(-1, channels, -1)
        return x.flatten(2).gather(2, source).view(x.shape)


class GaussianNoise(ImageTransform):
    """Gaussian noise of standard deviation `sigma`, in units of the bounds' length."""

    random = True

    def __init__(self, sigma: float, bounds: tuple[float, float], *, clip: bool, seed: int) -> None:
        super().__init__()
        self.sigma, self.bounds, self.clip, self.seed = sigma, bounds, clip, seed

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`."""
        assert draw is not None
        low, high = self.bounds
        noise = draw.stream(self.seed).normal(x.shape[1:]).mul_(self.sigma * (high - low)).to(x.dtype)
        noisy = x + noise
        return noisy.clamp(low, high) if self.clip else noisy
