"""Gaussian blur."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Gt

from advlab.defenses.base import Bounds, Defense

if TYPE_CHECKING:  # these load torch, and every defense is declared without it
    from torch import Tensor

    from advlab.defenses.transforms.stage import Stage


@dataclass(frozen=True, kw_only=True)
class Blur(Defense):
    """A Gaussian blur of each channel (gunther2017, table 2); the border's pixels continue beyond it.

    Attributes:
        sigma: standard deviation in pixels; the filter ends at four of them.
    """

    sigma: Annotated[float, Gt(0)] = 1.0

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        from advlab.defenses.transforms.separable import GaussianBlur  # loads torch

        return [GaussianBlur(self.sigma)]
