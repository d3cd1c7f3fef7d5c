"""Rounding to whole grey levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge

from advlab.defenses.base import Bounds, Defense

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.defenses.transforms.stage import Stage

Towards = Literal["nearest", "zero"]


@dataclass(frozen=True, kw_only=True)
class Round(Defense):
    """Clipping to the bounds and rounding to equidistant levels.

    With 256 levels the last step of gunther2017's table 2, `defense=[shift,blur,noise,round]`; with fewer the reduced bit
    depth of Xu et al. 2018 (feature squeezing). Its gradient is zero almost everywhere, so that the identity's is taken.

    Attributes:
        levels: how many, the bounds among them.
        towards: the nearest level, or zero: the one below, as a conversion to whole numbers without rounding cuts off.
    """

    differentiable = False
    levels: Annotated[int, Ge(2)] = 256
    towards: Towards = "nearest"

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        from advlab.defenses.transforms.rounding import Rounding  # loads torch

        return [Rounding(self.levels, bounds, down=self.towards == "zero")]
