"""Hyperparameters of random directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from advlab.attacks.base import Attack, Norm


@dataclass(frozen=True, kw_only=True)
class Noise(Attack):
    """A random direction of given length: the control of every attack.

    Attributes:
        norm: l2 (Gaussian direction), or linf (each pixel +-epsilon).
        epsilon: length in this norm, before clipping: in l2 1.0 is as long as one pixel from the lowest to the highest value;
            with norm=linf it is to be given.
        trials: directions that are tried; the first that flips is returned, or the last.
        seed: the direction is a function of it, of the image (in 16 bits) and of the trial alone.
    """

    targeted = "optional"
    minimal = False
    norm: Norm = "l2"
    epsilon: Annotated[float, Ge(0)] = 1.0
    trials: Annotated[int, Ge(1)] = 1
    seed: int = 0
