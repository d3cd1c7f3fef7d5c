"""Resampling down and up again."""

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
class Resample(Defense):
    """Bicubic resampling down to a smaller image and up to the size as it was, antialiased (jetley2018, table 1).

    The filter is that of MATLAB's imresize (a = -0.5). As in the paper, values that overshoot the bounds are not clipped. The
    paper resamples images without their training mean; the results are the same where the mean has one value a channel.

    Attributes:
        size: of the smaller image's shorter side, in pixels; the longer side shrinks by the same ratio. 0: half of it.
    """

    size: Annotated[int, Ge(0)] = 0

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        from advlab.defenses.transforms.separable import DownAndUp  # loads torch

        return [DownAndUp(self.size)]
