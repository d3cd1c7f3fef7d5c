"""Attacks whose length or goal is given: noise, a ball, one perturbation for a whole set, a level of confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from advlab.attacks.zoo.base import Attack, Norm, positive

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Noise(Attack):
    """A random direction of given length: the control of every attack.

    Attributes:
        norm: l2 (Gaussian direction), or linf (each pixel +-epsilon).
        epsilon: length in this norm, before clipping: in l2 1.0 is as long as one pixel from the lowest to the highest value.
        trials: directions that are tried; the first that flips is returned, or the last.
        seed: the direction is a function of it, of the image (in 16 bits) and of the trial alone.
    """

    method = "advlab.attacks.noise:noise"
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

    method = "advlab.attacks.pgd:pgd"
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
        mode: exact looks, image by image in a shuffled order, for the next that is not fooled by what there is;
            minibatch adds the mean of many images' steps at once.
        images: a mini-batch.
        seed: of the order.
    """

    method = "advlab.attacks.uap:uap"
    minimal = False
    set_level = True
    needs_correct = False
    takes = ("held_out",)
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

    method = "advlab.attacks.fooling:fooling"
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
        import torch

        assert targets is not None
        return torch.softmax(logits, 1).gather(1, targets[:, None])[:, 0] >= self.level
