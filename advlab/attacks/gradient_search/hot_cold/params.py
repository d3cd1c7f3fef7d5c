"""Hyperparameters of Hot/Cold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from advlab.attacks.gradient_search.params import GradientSearch
from advlab.errors import ArgumentError

if TYPE_CHECKING:  # loads torch, and every attack is declared without it
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class HotCold(GradientSearch):
    """Hot/Cold: J' omega with omega = |h_t| at the hot class t, -|h_y| at the cold class y (Rozsa et al. 2016).

    Attributes:
        hot: 1: the runner-up (HC-1 of gunther2017), k: the k-th class after the label; 0: every other class, of which the
            nearest success is returned. Targets in the call are the hot classes instead; success is any other class
            unless `reach`.
        reach: only the hot class counts as success; without targets, an image that does not reach it is returned as it
            was.
    """

    targeted = "optional"
    hot: Annotated[int, Ge(0)] = 1
    reach: bool = False

    def check_classes(self, classes: int) -> None:
        """See `Attack.check_classes`: there are `classes` - 1 ranks besides the label."""
        if self.hot >= classes:
            raise ArgumentError(
                f"hot={self.hot}: besides the label the model has {classes - 1} classes, hot={classes - 1} is the last"
            )

    def estimated_cost(self, classes: int) -> tuple[int, int]:
        """With `hot=0`, a gradient and some forwards for each other class."""
        forwards, backwards = super().estimated_cost(classes)
        return (4 * (classes - 1), classes - 1) if self.hot == 0 else (forwards, backwards)

    def goal(self, targets: Tensor | None) -> Tensor | None:
        """Any class but the label or, with `reach`, the targets."""
        return targets if self.reach else None
