"""Hyperparameters of projected gradient ascent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from advlab.attacks.base import Attack, Norm, positive


@dataclass(frozen=True, kw_only=True)
class PGD(Attack):
    """Projected gradient ascent of the loss inside a ball (Madry et al. 2018).

    Attributes:
        norm: of the ball.
        epsilon: its radius.
        steps: gradient steps.
        step: length of one, as a share of epsilon.
        random_start: begin at a random point of the ball.
        restarts: random starts; the first success is kept.
        loss: cross_entropy, or margin (difference of logits).
        seed: of the random starts, with the image.
    """

    targeted = "optional"
    minimal = False
    norm: Norm = "linf"
    epsilon: float = 8 / 255
    steps: int = 40
    step: float = 0.1
    random_start: bool = True
    restarts: int = 1
    loss: Literal["cross_entropy", "margin"] = "cross_entropy"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the hyperparameter.
        """
        positive(steps=self.steps, step=self.step, restarts=self.restarts)
        if self.epsilon < 0:
            raise ValueError(f"epsilon must be 0 or more, got {self.epsilon}")
