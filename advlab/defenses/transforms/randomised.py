"""Random stages: a shift in one of four directions, and Gaussian noise."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.defenses.draws import Draw
from advlab.defenses.transforms.stage import ImageTransform


class RandomShift(ImageTransform):
    """A shift by `pixels` in one of four directions, with wrap."""

    random = True

    def __init__(self, pixels: int, seed: int) -> None:
        super().__init__()
        self.pixels, self.seed = pixels, seed

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`."""
        assert draw is not None
        direction = draw.stream(self.seed).integers(4)[:, None, None, None]
        shifted = x
        for number, (down, right) in enumerate(((1, 0), (-1, 0), (0, 1), (0, -1))):
            rolled = torch.roll(x, (down * self.pixels, right * self.pixels), dims=(2, 3))
            shifted = torch.where(direction == number, rolled, shifted)
        return shifted


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
