"""The mean over crops of the padded image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt

from advlab.defenses.base import Bounds, Defense

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.defenses.transforms.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Crops(Defense):
    """The mean of the network's outputs over crops of the image in a black frame (gunther2017, section 2.2 and table 2).

    By default the frame is one pixel wide and there are five crops: its corners, and the centre, which is the image itself.
    Larger grids stand for the 144 crops of section 4. Attacks differentiate the mean.

    Attributes:
        pad: width of the frame in pixels, by which the corners' crops are moved.
        grid: instead of the five: grid x grid crops, `spacing` apart, of which one is the image itself; 12 gives 144. The
            frame is as wide as they need. 0: the five.
        spacing: of the grid, in pixels; between pixels, crops are interpolated linearly.
        average: of the logits (ip2 in the paper), or of the probabilities; then the logits are their logarithms.
    """

    pad: Annotated[int, Ge(1)] = 1
    grid: Annotated[int, Ge(0)] = 0
    spacing: Annotated[float, Gt(0)] = 1.0
    average: Literal["logits", "probabilities"] = "logits"

    @property
    def offsets(self) -> list[tuple[float, float]]:
        """(down, right) in pixels by which each crop begins away from the image.

        >>> Crops().offsets
        [(-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0)]
        >>> Crops(grid=2, spacing=0.5).offsets
        [(-0.5, -0.5), (-0.5, 0.0), (0.0, -0.5), (0.0, 0.0)]
        """
        p = self.pad
        if not self.grid:
            return [(-p, -p), (-p, p), (p, -p), (p, p), (0, 0)]
        along = [(place - self.grid // 2) * self.spacing for place in range(self.grid)]
        return [(down, right) for down in along for right in along]

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        from advlab.defenses.transforms.crops import PaddedCrops  # loads torch

        return [PaddedCrops(self.offsets, bounds, self.average)]
