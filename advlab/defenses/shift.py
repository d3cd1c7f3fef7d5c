"""Random shift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from advlab.defenses.base import Bounds, Defense

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.defenses.transforms.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Shift(Defense):
    """A shift in one of the four directions, drawn for each image; what leaves one side enters at the other (gunther2017, table 2).

    Attributes:
        pixels: by how many.
        seed: the direction is a function of it, of the image and of the trial alone.
    """

    random = True
    pixels: Annotated[int, Ge(1)] = 1
    seed: int = 0

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        from advlab.defenses.transforms.randomised import RandomShift  # loads torch

        return [RandomShift(self.pixels, self.seed)]
