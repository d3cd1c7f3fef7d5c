"""A training recipe: everything that decides which weights come out, as plain data that needs no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from advlab.training.recipe_text import ADVERSARIES, parse_augmentation, parse_lr_step

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("constant", "inv", "one_cycle", "cosine", "steps")
PRECISIONS = ("float32", "bf16")
NORMALISATIONS = ("caffe", "mean_image", "standard")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained. `name: none` trains nothing; every other recipe sets `epochs` or `max_steps`.

    Raises ValueError, naming the field and what it allows, when a value is out of range.
    """

    name: str = "none"
    #: passes over the training images
    epochs: int = 0
    #: or a number of steps instead, as caffe counts
    max_steps: int = 0
    batch_size: int = 128

    optimizer: str = "sgd"
    #: the peak of the schedule
    lr: float = 0.1
    #: of SGD; the first moment's decay of Adam
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 0.0
    #: learning rate of biases and of batch norms, as a multiple of `lr` (2 in caffe's LeNet)
    bias_lr: float = 1.0
    #: weight decay of biases and of batch norms, as a multiple of `weight_decay` (1 in caffe's LeNet)
    bias_decay: float = 1.0
    #: learning rate of the last layer, as a further multiple (0.001 in MatConvNet's Network-in-Network)
    head_lr: float = 1.0

    schedule: str = "one_cycle"
    #: share of the steps in which the rate rises linearly, for one_cycle and cosine
    warmup: float = 0.2
    #: caffe's inv: lr (1 + inv_gamma t)^-inv_power after t steps
    inv_gamma: float = 1e-4
    inv_power: float = 0.75
    #: for steps: "epochs:factor" in order, for example ["80:1", "10:0.1"]; the epochs add up to `epochs`
    lr_steps: list[str] = field(default_factory=list)

    label_smoothing: float = 0.0
    #: in the order in which they are applied, for example ["crop:4", "flip", "affine:10,0.1,0.1"]; the last may be
    #: adversarial training, which adds points to each batch: "hard:5,0.5" (barati2021), "pgd:5,0.5", "noise:2.5",
    #: "hard_noise:5,0.5" (noise as far from each image as its hard point, where no pixel moves by more than 1/2)
    augment: list[str] = field(default_factory=list)
    precision: str = "float32"
    #: caffe: pixel / 256; mean_image: pixel - mean training image, in 0..255; standard: mean and deviation per channel
    normalise: str = "standard"
    #: dataset -> accuracy on its clean test images that this recipe was measured to reach, as a fraction
    expected: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(bool(self.name), "name", "not empty", self.name)
        self._check_steps()
        self._check_optimizer()
        self._check_schedule()
        self._check_images()
        for dataset, accuracy in self.expected.items():
            _check(0 <= accuracy <= 1, f"expected.{dataset}", "a fraction in [0, 1]", accuracy)

    def _check_steps(self) -> None:
        """How many steps there are, and of how many images."""
        _check(self.epochs >= 0, "epochs", "at least 0", self.epochs)
        _check(self.max_steps >= 0, "max_steps", "at least 0", self.max_steps)
        if self.trains and (self.epochs > 0) == (self.max_steps > 0):
            raise ValueError(
                f"recipe {self.name!r}: set either epochs or max_steps to at least 1, the other one to 0, "
                f"got epochs={self.epochs} and max_steps={self.max_steps}"
            )
        _check(self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)

    def _check_optimizer(self) -> None:
        """The optimizer, and numbers that are at least 0."""
        _check_choice(self.optimizer, "optimizer", OPTIMIZERS)
        _check(0 < self.lr < math.inf, "lr", "above 0", self.lr)
        _check(0 <= self.momentum < 1, "momentum", "in [0, 1)", self.momentum)
        if self.nesterov and (self.optimizer != "sgd" or self.momentum == 0):
            raise ValueError("recipe field nesterov must be false unless optimizer is sgd and momentum is above 0")
        for name in ("weight_decay", "bias_lr", "bias_decay", "head_lr", "inv_gamma", "inv_power"):
            value = getattr(self, name)
            _check(0 <= value < math.inf, name, "at least 0", value)

    def _check_schedule(self) -> None:
        """The learning rate over the steps."""
        _check_choice(self.schedule, "schedule", SCHEDULES)
        _check(0 <= self.warmup < 1, "warmup", "in [0, 1)", self.warmup)
        self._check_lr_steps()

    def _check_images(self) -> None:
        """What is done to images and labels before the network sees them, and the precision in which it does."""
        _check(0 <= self.label_smoothing < 1, "label_smoothing", "in [0, 1)", self.label_smoothing)
        names = [parse_augmentation(text)[0] for text in self.augment]
        if any(name in ADVERSARIES for name in names[:-1]):
            raise ValueError(
                f"recipe field augment: {', '.join(ADVERSARIES)} move the images of the finished batch: one of them, as the "
                f"last entry, got {self.augment}"
            )
        _check_choice(self.precision, "precision", PRECISIONS)
        _check_choice(self.normalise, "normalise", NORMALISATIONS)

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

    def _check_lr_steps(self) -> None:
        """They are there for the schedule `steps` alone, and cover all epochs."""
        if self.schedule != "steps":
            if self.lr_steps:
                raise ValueError(f"recipe field lr_steps must be empty unless schedule is steps, got {self.lr_steps}")
            return
        total = sum(parse_lr_step(text)[0] for text in self.lr_steps)
        if not self.lr_steps or (self.epochs and total != self.epochs):
            raise ValueError(
                f"recipe field lr_steps must list 'epochs:factor' that add up to epochs={self.epochs}, "
                f"got {self.lr_steps}, which add up to {total:g}"
            )


def _check(valid: bool, name: str, allowed: str, value: object) -> None:
    if not valid:
        raise ValueError(f"recipe field {name} must be {allowed}, got {value!r}")


def _check_choice(value: str, name: str, choices: tuple[str, ...]) -> None:
    _check(value in choices, name, f"one of {', '.join(choices)}", value)
