"""The parameters of `downsampling`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from advlab.errors import ArgumentError
from advlab.lab import InRange


@dataclass(frozen=True, kw_only=True)
class DownsamplingParams(InRange):
    """Images, sizes and factors of table 1, and thresholds of the claims, fixed beforehand."""

    samples: Annotated[int, Ge(1)] = 2000  # images (table 1), the first of a seeded order
    #: d_low in pixels along the shorter side; empty: the paper's 200, 150, 120 and 100 of 227, as shares of the images' side
    sizes: list[Annotated[int, Ge(1)]] = field(default_factory=list)
    factors: list[Annotated[float, Gt(0)]] = field(default_factory=lambda: [1.0, 2.0, 3.0, 4.0, 5.0, 10.0])  # f
    #: of the smallest sizes, at so many DeepFool is also confined; the paper: at 120 and 100
    confined: Annotated[int, Ge(0)] = 2
    #: other images, training images where there are any, whose resampled perturbations span that subspace; 0: 1000, of large
    #: images as many as have 2^24 values
    spanning: Annotated[int, Ge(0)] = 0
    #: the mean that is subtracted: of each pixel (image) or of each channel; auto: of each pixel where there are 10000
    #: training images in memory
    mean: Literal["auto", "image", "channel"] = "auto"
    restored: Annotated[float, Gt(0), Lt(1)] = 0.85  # claim: fooling rate at the largest f above
    #: claim "grow steadily": share of images that a longer perturbation no longer fools below
    lost: Annotated[float, Gt(0), Lt(1)] = 0.05
    imperceptible: Annotated[float, Gt(0)] = 0.02  # claim: norm at the largest f over the image's below
    equally_vulnerable: Annotated[float, Gt(0)] = 1.25  # claims: ratio of median norms below

    def __post_init__(self) -> None:
        """Refuse values out of range, and factors without 1 or that stand twice.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if 1 not in self.factors or sorted(set(self.factors)) != list(self.factors):
            raise ArgumentError(f"factors must ascend and hold 1, got {self.factors}: take [1,2,3,4,5,10]")
        if len(set(self.sizes)) != len(self.sizes):
            raise ArgumentError(f"sizes must differ, got {self.sizes}")
