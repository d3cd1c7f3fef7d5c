"""Reduced bit depth."""

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
class BitDepth(Defense):
    """Clipping to the bounds and rounding to 2^bits levels (feature squeezing, Xu et al. 2018, section 3.1).

    The identity's gradient is taken. Any other number of levels is `round`.

    Attributes:
        bits: of a pixel's value; the paper takes 1 for MNIST, and 4 and 5 for CIFAR-10 and ImageNet.
    """

    differentiable = False
    bits: Annotated[int, Ge(1), Le(8)] = 4

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        from advlab.defenses.transforms.rounding import Rounding  # loads torch

        return [Rounding(2**self.bits, bounds)]
