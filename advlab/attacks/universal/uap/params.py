"""Hyperparameters of universal perturbations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from advlab.attacks.base import Attack, Norm


@dataclass(frozen=True, kw_only=True)
class UAP(Attack):
    """One perturbation for all images (Moosavi-Dezfooli et al. 2017), built from DeepFool steps on those not yet fooled.

    `held_out` (M, C, H, W) images in the call measure the fooling rate, the share whose prediction changes; `facts` of
    the result hold it with and without clipping.

    Attributes:
        norm: of the ball that the perturbation stays in.
        epsilon: its radius; 0: 4 % of the mean norm of the images, which is what the paper's radii are on ImageNet, 2000 of about
            50,000 in l2 and 10 of about 250 in linf, of pixels in [0, 255] (section 4.1).
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
    version = 2
    norm: Norm = "linf"
    epsilon: Annotated[float, Ge(0)] = 0.0
    fooling: Annotated[float, Gt(0), Le(1)] = 0.8
    passes: Annotated[int, Ge(1)] = 10
    max_iter: Annotated[int, Ge(1)] = 10
    accept: Annotated[int, Ge(1)] = 9
    overshoot: Annotated[float, Ge(0)] = 0.02
    candidates: Annotated[int, Ge(0)] = 10
    mode: Literal["exact", "minibatch"] = "exact"
    images: Annotated[int, Ge(1)] = 64
    seed: int = 0
