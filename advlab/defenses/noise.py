"""Gaussian noise."""

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
class Noise(Defense):
    """Independent Gaussian noise of mean 0 on every pixel (gunther2017, table 2).

    The paper rounds to whole grey levels afterwards: `defense=[noise,round]`.

    Attributes:
        sigma: standard deviation in units of the bounds' length; one grey level by default.
        clip: to the bounds, which makes the mean of the noise positive on black pixels.
        seed: the noise is a function of it, of the image and of the trial alone.
    """

    random = True
    sigma: Annotated[float, Gt(0)] = 1 / 255
    clip: bool = True
    seed: int = 0

    def stages(self, bounds: Bounds, fitted: Mapping[str, Tensor]) -> list[Stage]:
        """See `Defense.stages`."""
        from advlab.defenses.transforms.randomised import GaussianNoise  # loads torch

        return [GaussianNoise(self.sigma, bounds, clip=self.clip, seed=self.seed)]
