"""Hyperparameters of random directions."""

from __future__ import annotations

from dataclasses import dataclass

from advlab.attacks.base import Attack, Norm


@dataclass(frozen=True, kw_only=True)
class Noise(Attack):
    """A random direction of given length: the control of every attack.

    Attributes:
        norm: l2 (Gaussian direction), or linf (each pixel +-epsilon).
        epsilon: length in this norm, before clipping: in l2 1.0 is as long as one pixel from the lowest to the highest value.
        trials: directions that are tried; the first that flips is returned, or the last.
        seed: the direction is a function of it, of the image (in 16 bits) and of the trial alone.
    """

    targeted = "optional"
    minimal = False
    norm: Norm = "l2"
    epsilon: float = 1.0
    trials: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the hyperparameter.
        """
        if self.epsilon < 0 or self.trials < 1:
            raise ValueError(f"epsilon must be 0 or more and trials 1 or more, got {self.epsilon} and {self.trials}")
