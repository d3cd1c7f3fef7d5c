"""Hyperparameters of Auto-PGD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from advlab.attacks.base import Arithmetic, Attack, Norm
from advlab.errors import ArgumentError

CLASSES_NEEDED = {"dlr": 3, "targeted_dlr": 4}  # by the denominators of the losses


@dataclass(frozen=True, kw_only=True)
class APGD(Attack):
    """Auto-PGD: projected gradients with momentum that halve their step when the loss stalls (Croce and Hein 2020, section 3).

    With loss=both the share of images that it leaves is a robust accuracy, as by AutoAttack's two gradient attacks. An image
    leaves with its first adversarial iterate; where there is none, the iterate of the largest margin is returned.

    Attributes:
        norm: of the ball.
        epsilon: its radius; 8/255 is meant in linf, and with norm=l2 it is to be given.
        steps: gradient steps of each ascent (the paper's N_iter).
        restarts: ascents from random starts, for each loss and class.
        loss: ce, the cross-entropy; dlr, the difference of logits ratio (eq 6); targeted_dlr, eq 7 towards each of the
            likeliest `target_classes` other classes in turn; both, ce and then targeted_dlr on what is left (of three
            classes dlr, of two nothing). With targets, ce descends the target's loss, and the others are eq 7 towards the
            target.
        target_classes: how many other classes targeted_dlr aims at, by their logits at the image (AutoAttack: 9).
        rho: the step is halved where fewer than this share of the steps since the last checkpoint raised the loss (section 3.1).
        momentum: weight of the new step beside that of the last (alpha in the paper, .75).
        arithmetic: of the cross-entropy's gradient: exact, without cancellation, or float32, softmax - one-hot, as AutoAttack's.
        seed: of the random starts, with the image.
    """

    targeted = "optional"
    minimal = False
    norm: Norm = "linf"
    epsilon: Annotated[float, Ge(0)] = 8 / 255
    steps: Annotated[int, Ge(1)] = 100
    restarts: Annotated[int, Ge(1)] = 1
    loss: Literal["ce", "dlr", "targeted_dlr", "both"] = "both"
    target_classes: Annotated[int, Ge(1)] = 9
    rho: Annotated[float, Gt(0), Lt(1)] = 0.75
    momentum: Annotated[float, Gt(0), Le(1)] = 0.75
    arithmetic: Arithmetic = "exact"
    seed: int = 0

    def check_classes(self, classes: int) -> None:
        """Refuse a loss that needs more classes.

        Raises:
            ArgumentError: names the loss that does not.
        """
        needed = CLASSES_NEEDED.get(self.loss, 2)
        if classes < needed:
            raise ArgumentError(
                f"loss={self.loss} needs at least {needed} classes, the network has {classes}: set loss=ce"
            )

    def estimated_cost(self, classes: int) -> tuple[int, int]:
        """At most: all steps of all ascents; an image that succeeds leaves."""
        towards = min(self.target_classes, classes - 1)
        ascents = {"ce": 1, "dlr": 1, "targeted_dlr": towards, "both": 1 + towards}[self.loss] * self.restarts
        return ascents * (self.steps + 1), ascents * (self.steps + 1)
