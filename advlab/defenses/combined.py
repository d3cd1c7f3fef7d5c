"""All preprocessing of gunther2017 in one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt

from advlab.defenses.base import Bounds, Defense
from advlab.defenses.blur import Blur
from advlab.defenses.chain import Chain
from advlab.defenses.noise import Noise
from advlab.defenses.round import Round
from advlab.defenses.shift import Shift

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.defenses.transforms.stage import Stage

Integers = Literal["nearest", "zero", "none"]


@dataclass(frozen=True, kw_only=True)
class Combined(Defense):
    """Shift, blur, noise, then whole grey levels, in this order (gunther2017, section 2.2 and table 2, `Combined`).

    The same as the chain of `shift`, `blur`, `noise` and `round`: straight through the rounding, and random.

    Attributes:
        pixels: of the shift.
        sigma: of the blur, in pixels.
        noise: standard deviation of the noise, in units of the bounds' length; one grey level by default.
        integers: to the nearest whole grey level, or towards zero, as of `Round`; none: neither rounded nor clipped.
        seed: of the shift and of the noise.
    """

    random = True
    pixels: Annotated[int, Ge(1)] = 1
    sigma: Annotated[float, Gt(0)] = 1.0
    noise: Annotated[float, Gt(0)] = 1 / 255
    integers: Integers = "nearest"
    seed: int = 0

    @property
    def differentiable(self) -> bool:  # type: ignore[override]  # it depends on the last step
        """Unless values are rounded."""
        return self.integers == "none"

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        whole = self.integers
        noise = Noise(sigma=self.noise, seed=self.seed, clip=whole != "none")
        steps = (Shift(pixels=self.pixels, seed=self.seed), Blur(sigma=self.sigma), noise)
        return Chain(of=steps if whole == "none" else (*steps, Round(towards=whole))).stages(bounds, {})
