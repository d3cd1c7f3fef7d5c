"""Rounding to equidistant levels."""

from __future__ import annotations

from torch import Tensor

from advlab.data.exact_division import divisor
from advlab.defenses.draws import Draw
from advlab.defenses.transforms.stage import ImageTransform

BARELY_BELOW = 1e-3  # of a step: so little below a level is float rounding


class Rounding(ImageTransform):
    """Images clipped to `bounds` and rounded to `levels` equidistant values, or brought down to them.

    A pixel that is a level but for float rounding (a thousandth of a step) stays there when it is brought down.
    """

    differentiable = False

    def __init__(self, levels: int, bounds: tuple[float, float], *, down: bool = False) -> None:
        super().__init__()
        self.levels, self.bounds, self.down = levels, bounds, down

    def transform(self, x: Tensor, draw: Draw | None) -> Tensor:
        """See `ImageTransform.transform`."""
        low, high = self.bounds
        extent, last = high - low, self.levels - 1
        # multiplied first: k * extent / last is the float nearest to it, k * (extent / last) mostly not
        steps = x.clamp(low, high).sub(low).mul(last / extent)
        steps = steps.add(BARELY_BELOW).floor() if self.down else steps.round()
        return steps.mul(extent).div(divisor(last, x)).add(low)
