"""Rounding to equidistant levels."""

from __future__ import annotations

from torch import Tensor

from advlab.data.exact_division import divisor
from advlab.defenses.draws import Draw
from advlab.defenses.transforms.stage import ImageTransform


class Rounding(ImageTransform):
    """Images clipped to `bounds` and rounded to `levels` equidistant values."""

    differentiable = False

    def __init__(self, levels: int, bounds: tuple[float, float]) -> None:
        super().__init__()
        self.levels, self.bounds = levels, bounds

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`."""
        low, high = self.bounds
        extent, last = high - low, self.levels - 1
        # multiplied first: k * extent / last is the float nearest to it, k * (extent / last) mostly not
        return x.clamp(low, high).sub(low).mul(last / extent).round().mul(extent).div(divisor(last, x)).add(low)
