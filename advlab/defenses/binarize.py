"""Binarization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt, Lt

from advlab.defenses.base import Bounds, Defense

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.defenses.transforms.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Binarize(Defense):
    """Black and white (Graese et al. 2016, section III, for text; gunther2017, section 2.2, leaves it out of table 2).

    Its gradient is zero almost everywhere, so that the identity's is taken.

    Attributes:
        threshold: from which on a pixel is white, in units of the bounds' length.
    """

    differentiable = False
    threshold: Annotated[float, Gt(0), Lt(1)] = 0.5

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        from advlab.defenses.transforms.quantising import Binarisation  # loads torch

        return [Binarisation(self.threshold, bounds)]
