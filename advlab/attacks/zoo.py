"""The attacks that a configuration can name, as hyperparameters; torch is imported only when one is called.

Every length among the hyperparameters (epsilon, step, resolution) is in units of the bounds' length: .1 is a tenth of the
pixel range, whatever the pixel unit. Images are clipped to the bounds unless an attack says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from advlab.attacks.attack import AttackResult

Norm = Literal["l2", "linf"]


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What all attacks share: traits that the contract suite and the experiments follow, and the call.

    Class attributes:
        method: the algorithm, `module:function`, taking a `Problem` and these hyperparameters.
        targeted: never, optional or always takes targets.
        minimal: looks for the smallest perturbation in its norm; otherwise its length is given.
        set_level: finds one perturbation for all images together; otherwise each image's result is its own.
        needs_correct: attacks only what is classified as its label.
        takes: names of further tensors in the call.
    """

    method: ClassVar[str | Callable[..., Any]]
    targeted: ClassVar[Literal["never", "optional", "always"]] = "never"
    minimal: ClassVar[bool] = True
    set_level: ClassVar[bool] = False
    needs_correct: ClassVar[bool] = True
    takes: ClassVar[tuple[str, ...]] = ()

    def __call__(
        self,
        model: Callable[[Tensor], Tensor],
        inputs: Tensor,
        labels: Tensor,
        *,
        targets: Tensor | None = None,
        bounds: tuple[float, float] = (0.0, 1.0),
        batch_size: int = 0,
        **data: Tensor,
    ) -> AttackResult:
        """Attack (N, C, H, W) images inside `bounds`; see `advlab.attacks.attack.attack`."""
        from advlab.attacks.attack import attack

        return attack(self, model, inputs, labels, targets=targets, bounds=bounds, batch_size=batch_size, **data)

    @property
    def label(self) -> str:
        """Its name in messages."""
        return type(self).__name__

    @property
    def norm_name(self) -> str:
        """The norm in which `AttackResult.distance` is given: its `norm`, or linf."""
        return str(getattr(self, "norm", "linf"))

    def achieved(self, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
        """(N,) bool: whether images with these logits are what the attack is after."""
        from advlab.attacks.problem import margin

        return margin(logits, labels, self.goal(targets)) > 0

    def goal(self, targets: Tensor | None) -> Tensor | None:
        """(N,) classes that count as success; None: any but the label."""
        return targets

    def price(self, classes: int) -> tuple[int, int]:
        """Forwards and backwards an image, about, for the dry plan; the checks before and after not included."""
        steps = int(getattr(self, "max_iter", getattr(self, "steps", 10))) * int(getattr(self, "restarts", 1))
        return steps, steps


def positive(**values: float) -> None:
    """Refuse what is not above 0.

    Raises:
        ValueError: names the hyperparameter.
    """
    for name, value in values.items():
        if value <= 0:
            raise ValueError(f"{name} must be above 0, got {value}")


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

    method: ClassVar[str | Callable[..., Any]] = "advlab.attacks.directions:fgs"
    targeted: ClassVar[Literal["never", "optional", "always"]] = "optional"


@dataclass(frozen=True, kw_only=True)
class FGV(Search):
    """Fast gradient value: x + w grad J / max|grad J| (Rozsa et al. 2016), w the smallest that flips (gunther2017, 1.2)."""

    method: ClassVar[str | Callable[..., Any]] = "advlab.attacks.directions:fgv"
    targeted: ClassVar[Literal["never", "optional", "always"]] = "optional"


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

    method: ClassVar[str | Callable[..., Any]] = "advlab.attacks.directions:hot_cold"
    targeted: ClassVar[Literal["never", "optional", "always"]] = "optional"
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

    method: ClassVar[str | Callable[..., Any]] = "advlab.attacks.directions:saliency"
    targeted: ClassVar[Literal["never", "optional", "always"]] = "optional"


@dataclass(frozen=True, kw_only=True)
class Noise(Attack):
    """A random direction of given length: the control of every attack.

    Attributes:
        norm: l2 (Gaussian direction), or linf (each pixel +-epsilon).
        epsilon: length in this norm, before clipping: in l2 1.0 is as long as one pixel from the lowest to the highest value.
        trials: directions that are tried; the first that flips is returned, or the last.
        seed: the direction is a function of it, of the image (in 16 bits) and of the trial alone.
    """

    method: ClassVar[str | Callable[..., Any]] = "advlab.attacks.noise:noise"
    targeted: ClassVar[Literal["never", "optional", "always"]] = "optional"
    minimal: ClassVar[bool] = False
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

    method: ClassVar[str | Callable[..., Any]] = "advlab.attacks.deepfool:deepfool"
    targeted: ClassVar[Literal["never", "optional", "always"]] = "optional"
    takes: ClassVar[tuple[str, ...]] = ("basis",)
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

    method: ClassVar[str | Callable[..., Any]] = "advlab.attacks.uap:uap"
    minimal: ClassVar[bool] = False
    set_level: ClassVar[bool] = True
    needs_correct: ClassVar[bool] = False
    takes: ClassVar[tuple[str, ...]] = ("held_out",)
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

    method: ClassVar[str | Callable[..., Any]] = "advlab.attacks.lbfgs:lbfgs"
    targeted: ClassVar[Literal["never", "optional", "always"]] = "optional"
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

    method: ClassVar[str | Callable[..., Any]] = "advlab.attacks.pgd:pgd"
    targeted: ClassVar[Literal["never", "optional", "always"]] = "optional"
    minimal: ClassVar[bool] = False
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
class Fooling(Attack):
    """Fooling images: ascend the target's probability from any start until it reaches a level (gunther2017, figure 2).

    Attributes:
        level: probability of the target that counts as success.
        max_iter: steps.
        early, late, max_lr: the step is min(max_lr, min(early, late (1 - p)) / ||g||^2) g, with g the gradient of the
            probability p in grey levels (0..255), as in the code of Nguyen et al. 2015, which the paper builds on. Its
            published runs took max_lr 1e7 and early .02 to .04; 1e12 lets one step saturate an image far from the target.
    """

    method: ClassVar[str | Callable[..., Any]] = "advlab.attacks.fooling:fooling"
    targeted: ClassVar[Literal["never", "optional", "always"]] = "always"
    minimal: ClassVar[bool] = False
    needs_correct: ClassVar[bool] = False
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


@dataclass(frozen=True, kw_only=True)
class Library(Attack):
    """An attack of foolbox, torchattacks or ART by its name there, clipped, classified again and counted.

    Needs `pip install "advlab[peers]"`.

    Attributes:
        library: foolbox, torchattacks or art.
        attack: name of the class, such as L2DeepFoolAttack, DeepFool or CarliniL2Method.
        options: its constructor's arguments, in the library's units (images in [0, 1]).
        norm: in which `distance` is given.
        epsilon: radius for foolbox's attacks of fixed length; 0: none.
        seed: of what the attack draws, with the images of a batch.
    """

    method: ClassVar[str | Callable[..., Any]] = "advlab.attacks.library:library"
    targeted: ClassVar[Literal["never", "optional", "always"]] = "optional"
    minimal: ClassVar[bool] = False
    library: Literal["foolbox", "torchattacks", "art"] = "foolbox"
    attack: str = "L2DeepFoolAttack"
    options: dict[str, Any] = field(default_factory=dict)
    norm: Norm = "l2"
    epsilon: float = 0.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class ForeignAttack(Attack):
    """A user's own attack, registered by a plug-in (`advlab.attack`), which derives a class for its traits.

    Attributes:
        function: takes a model, images (n, C, H, W) and labels (n,), and returns images; not archived.
        passes: which of `targets` and `bounds` it takes besides.
        norm: in which `distance` is given.
        options: its own keyword parameters.
    """

    method: ClassVar[str | Callable[..., Any]] = "advlab.attacks.foreign:foreign"
    function: ClassVar[Callable[..., Any]]
    passes: ClassVar[frozenset[str]] = frozenset()
    norm: ClassVar[Norm] = "l2"
    options: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """What is archived."""
        return dict(self.options)
