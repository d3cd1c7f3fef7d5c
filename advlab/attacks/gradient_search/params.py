"""Hyperparameters that all attacks along one gradient share: how far they go, and in which steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt

from advlab.attacks.base import Arithmetic, Attack
from advlab.errors import ArgumentError


@dataclass(frozen=True, kw_only=True)
class GradientSearch(Attack):
    """Attacks along one direction, x + w eta with max |eta| = 1, with the smallest w that flips the class.

    One gradient an image, then forwards alone: growing steps until the class flips, then the interval between the last
    failure and the flip is narrowed (gunther2017, section 1.2). Images are clipped (and rounded) before each classification.
    What flips and flips back between two looks is not seen; `exhaustive` is a scan in steps of `resolution`, which sees it,
    and an image that has not flipped is scanned so before it is called a failure. Status where nothing is found:
    zero_gradient (the gradient is exactly 0), no_flip_at_saturation (the image is that at `largest`), or nonfinite.

    Attributes:
        epsilon: a fixed weight instead of the smallest; 0: search.
        resolution: of the scan, 1/255 by default.
        bisections: the last failure and the first success are brought to within 2^-bisections steps of each other, by
            interpolation and halving.
        largest: weight at which the search gives up; 1 saturates every pixel that moves at full weight.
        discrete: images in whole grey levels: clipped and rounded to multiples of 1/255 before each classification
            (Rozsa et al. 2016); images that are equal to classified ones are not classified again. Half a grey level is
            rounded to the smaller change.
        exhaustive: classify at every step of `resolution` up to the first flip. Otherwise only where the margin should have
            crossed zero, judging by the last two looks.
    """

    version = 2
    epsilon: Annotated[float, Ge(0)] = 0.0
    resolution: Annotated[float, Gt(0)] = 1 / 255
    bisections: Annotated[int, Ge(0)] = 8
    largest: Annotated[float, Gt(0)] = 1.0
    discrete: bool = False
    exhaustive: bool = False

    def __post_init__(self) -> None:
        """Refuse values out of range, and a resolution above the largest weight.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if self.resolution > self.largest:
            raise ArgumentError(f"resolution must be at most largest, got {self.resolution} and {self.largest}")

    def estimated_cost(self, classes: int) -> tuple[int, int]:
        """One gradient, and the forwards of the search: a dozen, or the whole scan."""
        scan = 0 if self.epsilon else round(self.largest / self.resolution) if self.exhaustive else 12
        return 1 + scan, 1


@dataclass(frozen=True, kw_only=True)
class LossGradientSearch(GradientSearch):
    """Attacks along the gradient of the cross-entropy.

    Attributes:
        arithmetic: of the loss's gradient at the logits. exact: the sum over j != y of p_j (e_j - e_y), without cancellation,
            and scaled so that float32 does not lose it. float32: softmax - one-hot, as the paper (Caffe); there the label's
            component is lost where its probability rounds to 1 (`AttackResult.saturated`), and the direction is another one,
            which the success rates of gunther2017 (table 1) contain.
    """

    version = 3
    needs_first_gradient = True
    targeted = "optional"
    arithmetic: Arithmetic = "exact"
