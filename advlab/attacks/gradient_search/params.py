"""Attacks that look for the smallest perturbation: along one direction, to the nearest boundary, or by L-BFGS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from advlab.attacks.base import Attack, positive

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, kw_only=True)
class Search(Attack):
    """Attacks along one direction, x + w eta with max |eta| = 1, with the smallest w that flips the class.

    One gradient an image, then forwards alone. Images are clipped (and rounded) before each classification. The weight
    that is found is never above the first flip of a scan in steps of `resolution` by more than one step, unless the
    logits bend far more than they do at the weights that are looked at; `exhaustive` is that scan itself. Status where
    nothing is found: zero_gradient (the gradient is exactly 0), no_flip_at_saturation (the image is that at `largest`),
    or nonfinite.

    Attributes:
        epsilon: a fixed weight instead of the smallest; 0: search.
        resolution: of the scan, 1/255 by default.
        bisections: the last failure and the first success are brought to within 2^-bisections steps of each other, by
            interpolation and halving.
        largest: weight at which the search gives up; 1 saturates every pixel that moves at full weight.
        discrete: images in whole grey levels: clipped and rounded to multiples of 1/255 before each classification
            (Rozsa et al. 2016); bisection then stops where the images no longer differ.
        exhaustive: classify at every step of the scan. Otherwise steps that cannot flip, judging by how much the logits
            bend along the direction, are left out.
    """

    epsilon: float = 0.0
    resolution: float = 1 / 255
    bisections: int = 8
    largest: float = 1.0
    discrete: bool = False
    exhaustive: bool = False

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the hyperparameter.
        """
        positive(resolution=self.resolution, largest=self.largest)
        if self.epsilon < 0 or self.bisections < 0:
            raise ValueError(f"epsilon and bisections must be 0 or more, got {self.epsilon} and {self.bisections}")
        if self.resolution > self.largest:
            raise ValueError(f"resolution must be at most largest, got {self.resolution} and {self.largest}")

    def estimated_cost(self, classes: int) -> tuple[int, int]:
        """One gradient, and the forwards of the search: a dozen, or the whole scan."""
        scan = 0 if self.epsilon else round(self.largest / self.resolution) if self.exhaustive else 12
        return 1 + scan, 1
