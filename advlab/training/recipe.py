"""A training recipe: everything that decides which weights come out, as plain data that needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval, Lt

from advlab.config.ranges import InRange
from advlab.errors import ArgumentError
from advlab.training.recipe_text import ADVERSARIES, parse_augmentation, parse_lr_step, parse_penalty

Multiple = Annotated[float, Ge(0), Lt(math.inf)]
Share = Annotated[float, Ge(0), Lt(1)]


@dataclass(frozen=True, kw_only=True)
class Recipe(InRange):
    """How a network is trained. `name: none` trains nothing; every other recipe sets `epochs` or `max_steps`.

    Raises ArgumentError, naming the field and what it allows, when a value is out of range.
    """

    name: str = "none"
    #: passes over the training images
    epochs: Annotated[int, Ge(0)] = 0
    #: or a number of steps instead, as caffe counts
    max_steps: Annotated[int, Ge(0)] = 0
    batch_size: Annotated[int, Ge(1)] = 128

    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    #: the peak of the schedule
    lr: Annotated[float, Gt(0), Lt(math.inf)] = 0.1
    #: of SGD; the first moment's decay of Adam
    momentum: Share = 0.9
    nesterov: bool = False
    weight_decay: Multiple = 0.0
    #: learning rate of biases and of batch norms, as a multiple of `lr` (2 in caffe's LeNet)
    bias_lr: Multiple = 1.0
    #: weight decay of biases and of batch norms, as a multiple of `weight_decay` (1 in caffe's LeNet)
    bias_decay: Multiple = 1.0
    #: learning rate of the last layer, as a further multiple (0.001 in MatConvNet's Network-in-Network)
    head_lr: Multiple = 1.0

    schedule: Literal["constant", "inv", "one_cycle", "cosine", "steps"] = "one_cycle"
    #: share of the steps in which the rate rises linearly, for one_cycle and cosine
    warmup: Share = 0.2
    #: caffe's inv: lr (1 + inv_gamma t)^-inv_power after t steps
    inv_gamma: Multiple = 1e-4
    inv_power: Multiple = 0.75
    #: for steps: "epochs:factor" in order, for example ["80:1", "10:0.1"]; the epochs add up to `epochs`
    lr_steps: list[str] = field(default_factory=list)

    label_smoothing: Share = 0.0
    #: in the order in which they are applied, for example ["crop:4", "flip", "affine:10,0.1,0.1"]; the last may be
    #: adversarial training, which adds points to each batch: "hard:5,0.5" (barati2021), "pgd:5,0.5", "noise:2.5",
    #: "hard_noise:5,0.5" (noise as far from each image as its hard point, where no pixel moves by more than 1/2);
    #: "pgd_linf:EPSILON,STEP,STEPS" trains on adversarial images alone (Madry et al. 2018), "pgd_linf_and_clean:..." on both;
    #: "shift:1", "blur:1", "grey_noise:1" and "round" are what defenses do (gunther2017, section 2.2)
    augment: list[str] = field(default_factory=list)
    #: terms beside the cross-entropy: "gradient:strength" on the squared norm of its gradient with respect to the image,
    #: "hessian:strength,length" on that of its Hessian (aghdam2017, section 2.2)
    penalty: list[str] = field(default_factory=list)
    #: joint: added points share one step with their images, of one loss over both; separate: a step of their own after it
    adversarial_step: Literal["joint", "separate"] = "joint"
    #: share of the steps in which epsilon (and the step) of pgd_linf rise linearly from 0
    epsilon_warmup: Share = 0.0
    precision: Literal["float32", "bf16"] = "float32"
    #: caffe: pixel / 256; mean_image: pixel - mean training image, in 0..255; standard: mean and deviation per channel
    normalise: Literal["caffe", "mean_image", "standard"] = "standard"
    #: dataset -> accuracy on its clean test images that this recipe was measured to reach, as a fraction
    expected: dict[str, Annotated[float, Interval(ge=0, le=1)]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse values out of range, and fields that do not fit each other.

        Raises:
            ArgumentError: names the field and what it allows.
        """
        super().__post_init__()
        if not self.name:
            raise ArgumentError("recipe field name must not be empty")
        if self.trains and (self.epochs > 0) == (self.max_steps > 0):
            raise ArgumentError(
                f"recipe {self.name!r}: set either epochs or max_steps to at least 1, the other one to 0, "
                f"got epochs={self.epochs} and max_steps={self.max_steps}"
            )
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0):
            raise ArgumentError("recipe field nesterov must be false unless optimizer is sgd and momentum is above 0")
        self._check_lr_steps()
        names = [parse_augmentation(text)[0] for text in self.augment]
        if self.epsilon_warmup and not (names and names[-1].startswith("pgd_linf")):
            raise ArgumentError(
                f"recipe field epsilon_warmup must be 0 unless the last entry of augment is pgd_linf, got {self.augment}"
            )
        if any(name in ADVERSARIES for name in names[:-1]):
            raise ArgumentError(
                f"recipe field augment: {', '.join(ADVERSARIES)} move the images of the finished batch: one of them, as the "
                f"last entry, got {self.augment}"
            )

        self._check_penalty()

    @property
    def trains(self) -> bool:
        """False for `none`."""
        return self.name != "none"

    @property
    def adversary(self) -> tuple[str, tuple[float, ...]] | None:
        """What adds points to each batch, and its parameters; None for plain training."""
        name, values = parse_augmentation(self.augment[-1]) if self.augment else ("", ())
        return (name, values) if name in ADVERSARIES else None

    @property
    def transforms(self) -> list[str]:
        """The entries of `augment` that change the images of a batch."""
        return self.augment[:-1] if self.adversary else self.augment

    def steps_per_epoch(self, images: int) -> int:
        """Whole batches in one pass over `images` images: the rest waits for the next shuffle."""
        return max(1, images // self.batch_size)

    def total_steps(self, images: int) -> int:
        """Steps of the whole training on `images` images."""
        return self.max_steps or self.epochs * self.steps_per_epoch(images)

    def lr_at(self, step: int, total_steps: int) -> float:
        """Learning rate of step `step` (from 0) out of `total_steps`."""
        if self.schedule == "constant":
            return self.lr
        if self.schedule == "inv":
            return self.lr / math.pow(1.0 + self.inv_gamma * step, self.inv_power)
        if self.schedule == "steps":
            return self.lr * self._step_factor(step / total_steps)
        warmup_steps = self.warmup * total_steps
        if step + 1 <= warmup_steps:
            return self.lr * (step + 1) / warmup_steps
        remaining = (total_steps - step) / (total_steps - warmup_steps)  # 1 at the peak, and not yet 0 in the last step
        remaining = min(1.0, remaining)
        return self.lr * (remaining if self.schedule == "one_cycle" else 0.5 - 0.5 * math.cos(math.pi * remaining))

    def adversary_strength(self, step: int, total_steps: int) -> float:
        """The share of its epsilon at which the adversary moves images in step `step` (from 0) of `total_steps`."""
        warmup_steps = self.epsilon_warmup * total_steps
        return min(1.0, (step + 1) / warmup_steps) if warmup_steps > 0 else 1.0

    def _step_factor(self, progress: float) -> float:
        """The factor of `lr_steps` after a share `progress` of all steps."""
        phases = [parse_lr_step(text) for text in self.lr_steps]
        epoch = progress * sum(epochs for epochs, _ in phases)
        phase_end = 0.0
        for epochs, factor in phases:
            phase_end += epochs
            if epoch < phase_end - 1e-9:
                return factor
        return phases[-1][1]

    def _check_penalty(self) -> None:
        """Each is named once, and computed in float32: bfloat16 has no digits for differences of gradients."""
        penalties = [parse_penalty(text)[0] for text in self.penalty]
        if len(set(penalties)) < len(penalties):
            raise ArgumentError(f"recipe field penalty must name each penalty once, got {self.penalty}")
        if penalties and self.precision == "bf16":
            raise ArgumentError(
                "recipe field penalty needs second derivatives, which bfloat16 rounds away: set recipe.precision=float32"
            )

    def _check_lr_steps(self) -> None:
        """They are there for the schedule `steps` alone, and cover all epochs."""
        if self.schedule != "steps":
            if self.lr_steps:
                raise ArgumentError(
                    f"recipe field lr_steps must be empty unless schedule is steps, got {self.lr_steps}"
                )
            return
        total = sum(parse_lr_step(text)[0] for text in self.lr_steps)
        if not self.lr_steps or (self.epochs and total != self.epochs):
            raise ArgumentError(
                f"recipe field lr_steps must list 'epochs:factor' that add up to epochs={self.epochs}, "
                f"got {self.lr_steps}, which add up to {total:g}"
            )
