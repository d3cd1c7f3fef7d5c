"""Hyperparameters of DeepFool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from advlab.attacks.base import Attack, Norm
from advlab.errors import ArgumentError


@dataclass(frozen=True, kw_only=True)
class DeepFool(Attack):
    """DeepFool: steps to the nearest linearised boundary (Moosavi-Dezfooli et al. 2016).

    With targets, the boundary between the current class and the target (jetley2018, algorithm 1); with `basis` (D, d) of
    orthonormal columns in the call, the perturbation stays in its span (jetley2018, figure 5).

    In float32 a network's sums round otherwise in another batch: on LeNet and 64 images of MNIST, up to 1e-5 in a pixel; in float64
    1e-15, refined or not.

    Attributes:
        norm: l2 or linf: in which norm the steps are shortest.
        max_iter: steps.
        overshoot: the perturbation is lengthened by this share.
        flavour: python linearises at the overshot image and adds 1e-4 to each step; matlab linearises at x + r and
            classifies x + (1 + overshoot) r.
        clip: each: to the bounds after every step; none: as the papers, images may leave the bounds. Clipping what is returned
            alone is no choice: of 198 images of MNIST it left one success.
        candidates: rivals of the label, by logit at the clean image, ten as in the authors' code; 0: all classes.
        exact: gradients of all candidates at every step. Otherwise only of those that can be the nearest, judging by
            their logit gaps and the gradients of the step before.
        refine: then steps along the boundary towards its point nearest to the image, inside the bounds.
        refinements: how many of those, at most.
        discrete: go along the perturbation, in whole grey levels, to the smallest length at which the rounded image is
            adversarial, as the attacks along one gradient do.
    """

    version = 2
    targeted = "optional"
    extra_inputs = ("basis",)
    norm: Norm = "l2"
    max_iter: Annotated[int, Ge(1)] = 50
    overshoot: Annotated[float, Ge(0)] = 0.02
    flavour: Literal["python", "matlab"] = "python"
    clip: Literal["each", "none"] = "each"
    candidates: Annotated[int, Ge(0)] = 10
    exact: bool = False
    refine: bool = False
    refinements: Annotated[int, Ge(1)] = 10
    discrete: bool = False

    def __post_init__(self) -> None:
        """Refuse values out of range, a refinement in another norm than l2, and grey levels without clipping.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if self.refine and self.norm != "l2":
            raise ArgumentError("refine=true works in the norm l2: set norm=l2")
        if self.discrete and self.clip != "each":
            raise ArgumentError("discrete=true returns images inside the pixel range: set clip=each")

    def estimated_cost(self, classes: int) -> tuple[int, int]:
        """As small networks take: some ten steps, and the gradients of all rivals at the first of them."""
        rivals = min(self.candidates or classes - 1, classes - 1)
        more = self.refinements if self.refine else 0
        steps = min(self.max_iter, 10)
        return steps + 2 + more, steps * (rivals if self.exact else 1) + rivals + more
