"""The mean over crops of the enlarged image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge

from advlab.defenses.base import Bounds, Defense

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.defenses.transforms.stage import Stage


@dataclass(frozen=True, kw_only=True)
class RescaleCrops(Defense):
    """The mean of the network's outputs over five crops of the enlarged image (Graese et al. 2016, by gunther2017, section 2.2).

    As `crops`, but that the image is enlarged by linear interpolation instead of being framed, so that no crop is the image
    itself. Neither paper says how it is interpolated.

    Attributes:
        pixels: by how many the image grows on each side.
        average: as of `crops`.
    """

    pixels: Annotated[int, Ge(1)] = 1
    average: Literal["logits", "probabilities"] = "logits"

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        from advlab.defenses.transforms.crops import RescaledCrops  # loads torch

        return [RescaledCrops(self.pixels, self.average)]
