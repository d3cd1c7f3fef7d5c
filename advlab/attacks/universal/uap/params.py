"""Hyperparameters of universal perturbations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from advlab.attacks.base import Attack, Norm, positive


@dataclass(frozen=True, kw_only=True)
class UAP(Attack):
    """One perturbation for all images (Moosavi-Dezfooli et al. 2017), built from DeepFool steps on those not yet fooled.

    `held_out` (M, C, H, W) images in the call measure the fooling rate, the share whose prediction changes; `facts` of
    the result hold it with and without clipping.

    Attributes:
        norm: of the ball that the perturbation stays in.
        epsilon: its radius; 10/255 in linf by default.
        fooling: share of the images that ends the passes.
        passes: over the images, at most.
        max_iter: steps of the inner DeepFool.
        accept: the inner perturbation is added when it took fewer steps.
        overshoot: of the inner DeepFool.
        candidates: rivals of the inner DeepFool, by logit; 0: all classes.
        mode: exact: go through the images in shuffled order and update v for the next image that v does not fool;
            minibatch: update v by the mean step of many images at once.
        images: a mini-batch.
        seed: of the order.
    """

    minimal = False
    set_level = True
    needs_correct = False
    extra_inputs = ("held_out",)
    norm: Norm = "linf"
    epsilon: float = 10 / 255
    fooling: float = 0.8
    passes: int = 10
    max_iter: int = 10
    accept: int = 9
    overshoot: float = 0.02
    candidates: int = 10
    mode: Literal["exact", "minibatch"] = "exact"
    images: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the hyperparameter.
        """
        positive(
            epsilon=self.epsilon, passes=self.passes, max_iter=self.max_iter, accept=self.accept, images=self.images
        )
        if not 0 < self.fooling <= 1 or self.overshoot < 0:
            raise ValueError(f"fooling is a share and overshoot at least 0, got {self.fooling} and {self.overshoot}")
        if self.candidates < 0:
            raise ValueError(f"candidates must be 0 (all classes) or more, got {self.candidates}")
