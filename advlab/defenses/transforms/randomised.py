"""Random stages: a shift in one of four directions, and Gaussian noise."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.defenses.draws import Draw
from advlab.defenses.transforms.stage import ImageTransform, refuse_larger

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
        return shifted(x, draw.stream(self.seed).integers(len(DIRECTIONS)), self.pixels)


class GaussianNoise(ImageTransform):
    """Gaussian noise of standard deviation `sigma`, in units of the bounds' length."""

    random = True

    def __init__(self, sigma: float, bounds: tuple[float, float], *, clip: bool, seed: int) -> None:
        super().__init__()
        self.sigma, self.bounds, self.clip, self.seed = sigma, bounds, clip, seed

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`."""
        assert draw is not None
        return noisy(x, draw.stream(self.seed).normal(x.shape[1:]), self.sigma, self.bounds, clip=self.clip)


def shifted(x: Tensor, direction: Tensor, pixels: int) -> Tensor:
    """(n, C, H, W) images, each shifted with wrap by `pixels` in its direction (n,), a place in `DIRECTIONS`.

    Raises:
        ArgumentError: the images are not larger than that.
    """
    n, channels, height, width = x.shape
    refuse_larger("shift: pixels", pixels, x, min(height, width) - 1, "which it moves once round and further")
    down, right = pixels * torch.tensor(DIRECTIONS, device=x.device)[direction].T  # (n,) each
    rows = (torch.arange(height, device=x.device) - down[:, None]) % height
    columns = (torch.arange(width, device=x.device) - right[:, None]) % width
    source = (rows[:, :, None] * width + columns[:, None, :]).view(n, 1, -1).expand(-1, channels, -1)
    return x.flatten(2).gather(2, source).view(x.shape)


def noisy(x: Tensor, normal: Tensor, sigma: float, bounds: tuple[float, float], *, clip: bool) -> Tensor:
    """Images and `sigma`, in units of the bounds' length, times standard normal numbers, which are overwritten."""
    low, high = bounds
    changed = x + normal.mul_(sigma * (high - low)).to(x.dtype)
    return changed.clamp(low, high) if clip else changed
