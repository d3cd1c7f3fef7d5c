"""Hyperparameters of fooling images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from advlab.attacks.base import Attack

if TYPE_CHECKING:  # loads torch, and every attack is declared without it
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Fooling(Attack):
    """Fooling images: ascend the target's probability from any start until it reaches a level (gunther2017, figure 2).

    Of a network that rejects, probabilities are those of the softmax over all C + 1 logits, and a rejected image reaches no
    level.

    Attributes:
        level: probability of the target that counts as success.
        width: the returned image's probability lies between level and level + width: a step that leaps beyond is shortened.
            No step leads to a start that is beyond already, which is returned as it is.
        max_iter: steps.
        early, late, max_lr: the step is min(max_lr, min(early, late (1 - p)) / ||g||^2) g, with g the gradient of the
            probability p in grey levels (0..255), as in the code of Nguyen et al. 2015, which the paper builds on. Its
            published runs took max_lr 1e7 and early .02 to .04; 1e12 lets one step saturate an image far from the target.
    """

    targeted = "always"
    minimal = False
    needs_correct = False
    sees_rejection = True
    version = 2
    level: Annotated[float, Gt(0), Lt(1)] = 0.99
    width: Annotated[float, Gt(0)] = 0.02
    max_iter: Annotated[int, Ge(1)] = 1000
    early: Annotated[float, Gt(0)] = 0.03
    late: Annotated[float, Gt(0)] = 0.1
    max_lr: Annotated[float, Gt(0)] = 1e7

    def achieved(self, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        """(N,) bool: the target's probability reaches the level."""
        assert targets is not None
        return logits.softmax(1).gather(1, targets[:, None])[:, 0] >= self.level
