"""Hyperparameters of projected gradient ascent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt

from advlab.attacks.base import Arithmetic, Attack, Norm

if TYPE_CHECKING:  # these load torch, and every attack is declared without it
    from advlab.attacks.problem import Problem
    from advlab.attacks.results import AlgorithmResult


@dataclass(frozen=True, kw_only=True)
class PGD(Attack):
    """Projected gradient ascent of the loss inside a ball (Madry et al. 2018).

    Of all iterates the one with the largest margin is returned, as Auto-PGD returns its best; published code often returns the
    last, adversarial or not.

    In float32 a network's sums round otherwise in another batch, and steps of fixed length amplify that: on LeNet and 64 images of
    MNIST, up to .002 in a pixel of 1 of them (norm=l2; linf: none), and 4e-5 of a length; in float64 1e-14.

    Attributes:
        norm: of the ball.
        epsilon: its radius; 8/255 is meant in linf, and with norm=l2 it is to be given.
        steps: gradient steps.
        step: length of one, as a share of epsilon.
        random_start: begin at a random point of the ball.
        restarts: random starts; the first success is kept.
        loss: cross_entropy, or margin (difference of logits).
        arithmetic: of the cross-entropy's gradient: exact, without cancellation, or float32, softmax - one-hot, as most code.
        seed: of the random starts, with the image.
        discrete: the returned image is rounded to whole grey levels inside the ball, and classified so.
    """

    version = 2

    targeted = "optional"
    minimal = False
    norm: Norm = "linf"
    epsilon: Annotated[float, Ge(0)] = 8 / 255
    steps: Annotated[int, Ge(1)] = 40
    step: Annotated[float, Gt(0)] = 0.1
    random_start: bool = True
    restarts: Annotated[int, Ge(1)] = 1
    loss: Literal["cross_entropy", "margin"] = "cross_entropy"
    arithmetic: Arithmetic = "exact"
    seed: int = 0
    discrete: bool = False

    def run(self, problem: Problem) -> AlgorithmResult:
        """The algorithm on the eligible images; `discrete` rounds what it returns."""
        result = super().run(problem)
        if not self.discrete or not self.epsilon:
            return result
        from advlab.attacks.grey_levels import inside_ball  # loads torch

        return replace(result, adv=inside_ball(problem, result.adv, self.norm, self.epsilon))
