"""Hyperparameters of fooling images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from advlab.attacks.base import Attack, positive

if TYPE_CHECKING:  # loads torch, and every attack is declared without it
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Fooling(Attack):
    """Fooling images: ascend the target's probability from any start until it reaches a level (gunther2017, figure 2).

    Attributes:
        level: probability of the target that counts as success.
        max_iter: steps.
        early, late, max_lr: the step is min(max_lr, min(early, late (1 - p)) / ||g||^2) g, with g the gradient of the
            probability p in grey levels (0..255), as in the code of Nguyen et al. 2015, which the paper builds on. Its
            published runs took max_lr 1e7 and early .02 to .04; 1e12 lets one step saturate an image far from the target.
    """

    targeted = "always"
    minimal = False
    needs_correct = False
    level: float = 0.99
    max_iter: int = 1000
    early: float = 0.03
    late: float = 0.1
    max_lr: float = 1e7

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the hyperparameter.
        """
        positive(max_iter=self.max_iter, early=self.early, late=self.late, max_lr=self.max_lr)
        if not 0 < self.level < 1:
            raise ValueError(f"level is a probability between 0 and 1, got {self.level}")

    def achieved(self, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        """(N,) bool: the target's probability reaches the level."""
        assert targets is not None
        return logits.softmax(1).gather(1, targets[:, None])[:, 0] >= self.level
