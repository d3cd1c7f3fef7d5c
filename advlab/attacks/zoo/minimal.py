"""Attacks that look for the smallest perturbation: along one direction, to the nearest boundary, or by L-BFGS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from advlab.attacks.zoo.base import Attack, Norm, positive

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Search(Attack):
    """Attacks along one direction, x + w eta with max |eta| = 1, with the smallest w that flips the class.

    One gradient an image, then forwards alone. Images are clipped (and rounded) before each classification. The weight
    that is found is never above the first flip of a scan in steps of `resolution` by more than one step, unless the
    logits bend far more than they do at the weights that are looked at; `exhaustive` is that scan itself. Status where
    nothing is found: zero_gradient (the gradient is exactly 0), no_flip_at_saturation (the image is that at `largest`),
    or nonfinite.

    Attributes:
        epsilon: a fixed weight instead of the smallest; 0: search.
        resolution: of the scan, 1/255 by default.
        bisections: the last failure and the first success are brought to within 2^-bisections steps of each other, by
            interpolation and halving.
        largest: weight at which the search gives up; 1 saturates every pixel that moves at full weight.
        discrete: images in whole grey levels: clipped and rounded to multiples of 1/255 before each classification
            (Rozsa et al. 2016); bisection then stops where the images no longer differ.
        exhaustive: classify at every step of the scan. Otherwise steps that cannot flip, judging by how much the logits
            bend along the direction, are left out.
    """

    epsilon: float = 0.0
    resolution: float = 1 / 255
    bisections: int = 8
    largest: float = 1.0
    discrete: bool = False
    exhaustive: bool = False

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the hyperparameter.
        """
        positive(resolution=self.resolution, largest=self.largest)
        if self.epsilon < 0 or self.bisections < 0:
            raise ValueError(f"epsilon and bisections must be 0 or more, got {self.epsilon} and {self.bisections}")
        if self.resolution > self.largest:
            raise ValueError(f"resolution must be at most largest, got {self.resolution} and {self.largest}")

    def price(self, classes: int) -> tuple[int, int]:
        """One gradient, and the forwards of the search: a dozen, or the whole scan."""
        scan = 0 if self.epsilon else round(self.largest / self.resolution) if self.exhaustive else 12
        return 1 + scan, 1


@dataclass(frozen=True, kw_only=True)
class FGS(Search):
    """Fast gradient sign: x + w sign(grad J) (Goodfellow et al. 2015), w the smallest that flips (gunther2017, 1.2)."""

    method = "advlab.attacks.directions:fgs"
    cotangent = "advlab.attacks.directions:loss"
    targeted = "optional"


@dataclass(frozen=True, kw_only=True)
class FGV(Search):
    """Fast gradient value: x + w grad J / max|grad J| (Rozsa et al. 2016), w the smallest that flips (gunther2017, 1.2)."""

    method = "advlab.attacks.directions:fgv"
    cotangent = "advlab.attacks.directions:loss"
    targeted = "optional"


@dataclass(frozen=True, kw_only=True)
class HotCold(Search):
    """Hot/Cold: J' omega with omega = |h_t| at the hot class t, -|h_y| at the cold class y (Rozsa et al. 2016).

    Attributes:
        hot: 1: the runner-up (HC-1 of gunther2017), k: the k-th class after the label; 0: every other class, of which the
            nearest success is returned. Targets in the call are the hot classes instead; success is any other class
            unless `reach`.
        reach: only the hot class counts as success; without targets, an image that does not reach it is returned as it
            was.
    """

    method = "advlab.attacks.directions:hot_cold"
    targeted = "optional"
    hot: int = 1
    reach: bool = False

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the hyperparameter.
        """
        super().__post_init__()
        if self.hot < 0:
            raise ValueError(f"hot must be 0 (every other class) or the rank of a class, got {self.hot}")

    def check_classes(self, classes: int) -> None:
        """See `Attack.check_classes`: there are `classes` - 1 ranks besides the label."""
        if self.hot >= classes:
            raise ValueError(
                f"hot={self.hot}: besides the label the model has {classes - 1} classes, hot={classes - 1} is the last"
            )

    def price(self, classes: int) -> tuple[int, int]:
        """With `hot=0`, a gradient and some forwards for each other class."""
        forwards, backwards = super().price(classes)
        return (4 * (classes - 1), classes - 1) if self.hot == 0 else (forwards, backwards)

    def goal(self, targets: Tensor | None) -> Tensor | None:
        """Any class but the label or, with `reach`, the targets."""
        return targets if self.reach else None


@dataclass(frozen=True, kw_only=True)
class Saliency(Search):
    """The signed gradient of a logit: down the label's, or up the target's (jetley2018, figure 3)."""

    method = "advlab.attacks.directions:saliency"
    cotangent = "advlab.attacks.directions:logit"
    targeted = "optional"


@dataclass(frozen=True, kw_only=True)
class DeepFool(Attack):
    """DeepFool: steps to the nearest linearised boundary (Moosavi-Dezfooli et al. 2016).

    With targets, the boundary between the current class and the target (jetley2018, algorithm 1); with `basis` (D, d) of
    orthonormal columns in the call, the perturbation stays in its span (jetley2018, figure 5).

    Attributes:
        norm: l2 or linf: in which norm the steps are shortest.
        max_iter: steps.
        overshoot: the perturbation is lengthened by this share.
        flavour: python linearises at the overshot image and adds 1e-4 to each step; matlab linearises at x + r and
            classifies x + (1 + overshoot) r.
        clip: each: to the bounds after every step; end: what is returned, and checked once more; none: as the papers,
            images may leave the bounds.
        candidates: rivals of the label, by logit at the clean image; 0: all classes.
        exact: gradients of all candidates at every step. Otherwise only of those that can be the nearest, judging by
            their logit gaps and the gradients of the step before.
        refine: then steps along the boundary towards its point nearest to the image, inside the bounds.
        refinements: how many of those, at most.
    """

    method = "advlab.attacks.deepfool:deepfool"
    targeted = "optional"
    takes = ("basis",)
    norm: Norm = "l2"
    max_iter: int = 50
    overshoot: float = 0.02
    flavour: Literal["python", "matlab"] = "python"
    clip: Literal["each", "end", "none"] = "each"
    candidates: int = 0
    exact: bool = False
    refine: bool = False
    refinements: int = 10

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the hyperparameter.
        """
        if self.max_iter < 1 or self.refinements < 1:
            raise ValueError(f"max_iter and refinements must be at least 1, got {self.max_iter} and {self.refinements}")
        if self.overshoot < 0 or self.candidates < 0:
            raise ValueError(f"overshoot and candidates must be 0 or more, got {self.overshoot} and {self.candidates}")
        if self.refine and self.norm != "l2":
            raise ValueError("refine=true works in the norm l2: set norm=l2")

    def price(self, classes: int) -> tuple[int, int]:
        """As small networks take: some ten steps, and the gradients of all rivals at the first of them."""
        rivals = min(self.candidates or classes - 1, classes - 1)
        more = self.refinements if self.refine else 0
        steps = min(self.max_iter, 10)
        return steps + 2 + more, steps * (rivals if self.exact else 1) + rivals + more


@dataclass(frozen=True, kw_only=True)
class LBFGS(Attack):
    """Box-constrained L-BFGS of c ||r||^2 + J(x + r, t), with the largest c that succeeds (Szegedy et al. 2014).

    With targets J is -log p of the target; `away` says what it is without.

    Attributes:
        norm: of `distance`; the objective is L2.
        initial: first weight c.
        searches: bisection steps over c.
        max_iter: L-BFGS iterations for each c.
        history: correction pairs that are kept.
        away: J without targets: label is minus the cross-entropy of the label, log p, which never rests at the boundary
            of a confident network (the minimiser for any c is near the image or a fifth beyond); others is the
            cross-entropy of the event that it is any other class, -log(1 - p), which does.
        shrink: bisections between the image and the minimiser; 0: the minimiser, as the paper.
    """

    method = "advlab.attacks.lbfgs:lbfgs"
    targeted = "optional"
    norm: Literal["l2"] = "l2"
    initial: float = 0.01
    searches: int = 10
    max_iter: int = 50
    history: int = 10
    away: Literal["label", "others"] = "others"
    shrink: int = 10

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the hyperparameter.
        """
        positive(initial=self.initial, searches=self.searches, max_iter=self.max_iter, history=self.history)
        if self.shrink < 0:
            raise ValueError(f"shrink must be 0 or more, got {self.shrink}")

    def price(self, classes: int) -> tuple[int, int]:
        """At most: all iterations of all searches."""
        return self.searches * self.max_iter, self.searches * self.max_iter
