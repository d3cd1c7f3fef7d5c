"""JPEG compression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Le

from advlab.defenses.base import Bounds, Defense

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.defenses.transforms.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Jpeg(Defense):
    """JPEG compression and decompression by Pillow (Dziugaite et al. 2016).

    Images of three channels are encoded as colours, with chroma at half the resolution; of any other number, each channel in
    grey. The identity's gradient is taken.

    Attributes:
        quality: from 1 to 100, as of libjpeg.
    """

    differentiable = False
    quality: Annotated[int, Ge(1), Le(100)] = 75

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        from advlab.defenses.transforms.quantising import JpegCoding  # loads torch

        return [JpegCoding(self.quality, bounds)]
