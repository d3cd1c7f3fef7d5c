"""Parses the entries of a recipe that are text: augmentations with their numbers, and phases of the learning rate."""

from __future__ import annotations

import math

from advlab.errors import ArgumentError

#: augmentation -> its parameters, in the order in which they are written
AUGMENTATIONS: dict[str, tuple[str, ...]] = {
    "crop": ("padding in pixels",),
    "flip": (),
    "affine": ("rotation in degrees", "translation as a fraction of the size", "scaling as a fraction"),
    # what the defenses of the same names do, with other draws at each step
    "shift": ("pixels",),
    "blur": ("sigma in pixels",),
    "grey_noise": ("deviation in grey levels",),
    "round": (),
}
#: what moves the images of a batch (`advlab.training.adversary`) -> its parameters; lengths are L2 norms of images in [0, 1],
#: those of `pgd_linf` L-infinity norms. Each adds the moved images to the batch, but for those in `REPLACING`
ADVERSARIES: dict[str, tuple[str, ...]] = {
    "hard": ("steps", "length of a step"),
    "adversarial": ("steps", "length of a step"),
    "pgd": ("steps", "length of a step"),
    "noise": ("length",),
    "hard_noise": ("steps", "length of a step"),
    "pgd_linf": ("epsilon", "length of a step", "steps"),
    "pgd_linf_and_clean": ("epsilon", "length of a step", "steps"),
}
#: what a recipe adds to the loss (`advlab.training.penalty`) -> its parameters; derivatives with respect to images in [0, 1]
PENALTIES: dict[str, tuple[str, ...]] = {
    "gradient": ("strength",),
    "hessian": ("strength", "length of the difference"),
}


def parse_penalty(text: str) -> tuple[str, tuple[float, ...]]:
    """("hessian", (0.1, 0.5)) of "hessian:0.1,0.5".

    Raises:
        ArgumentError: names what the penalty takes.
    """
    name, _, numbers = text.partition(":")
    if name not in PENALTIES:
        raise ArgumentError(f"recipe field penalty must hold {', '.join(PENALTIES)}, got {text!r}")
    try:
        values = tuple(float(number) for number in numbers.split(","))
    except ValueError:
        values = ()  # is refused below, as a number out of range is
    if len(values) != len(PENALTIES[name]) or not all(0 < value < math.inf for value in values):
        form = f"{name}:{','.join('number' for _ in PENALTIES[name])} ({', '.join(PENALTIES[name])})"
        raise ArgumentError(f"recipe field penalty: write {form}, numbers above 0, got {text!r}")
    return name, values


#: adversaries whose images take the place of the clean ones
REPLACING = ("pgd_linf",)


def parse_lr_step(text: str) -> tuple[float, float]:
    """(epochs, factor of the learning rate) of "80:0.1".

    Raises:
        ArgumentError: the text is anything else.
    """
    try:
        epochs, factor = (float(part) for part in text.split(":"))
    except ValueError:
        epochs, factor = 0.0, 0.0  # is refused below, as a number out of range is
    if not (0 < epochs < math.inf and 0 < factor < math.inf):
        raise ArgumentError(f"recipe field lr_steps must hold 'epochs:factor' with both above 0, got {text!r}")
    return epochs, factor


def parse_augmentation(text: str) -> tuple[str, tuple[float, ...]]:
    """("affine", (10.0, 0.1, 0.1)) of "affine:10,0.1,0.1"; a number may be a fraction, 8/255.

    Raises:
        ArgumentError: names what the augmentation takes.
    """
    name, _, numbers = text.partition(":")
    known = AUGMENTATIONS | ADVERSARIES
    if name not in known:
        raise ArgumentError(f"recipe field augment must hold {', '.join(known)}, got {text!r}")
    parameters = known[name]
    try:
        values = tuple(map(_number, numbers.split(","))) if numbers else ()
    except (ValueError, ZeroDivisionError):
        values = (-1.0,)  # is refused below, as a number out of range is
    if len(values) != len(parameters) or any(not 0 <= value < math.inf for value in values):
        form = f"{name}:{','.join('number' for _ in parameters)} ({', '.join(parameters)})" if parameters else name
        raise ArgumentError(f"recipe field augment: write {form}, numbers at least 0, got {text!r}")
    if name == "crop" and values[0] != int(values[0]):
        raise ArgumentError(f"recipe field augment: the padding of crop must be a whole number of pixels, got {text!r}")
    if name == "shift" and values[0] != int(values[0]):
        raise ArgumentError(f"recipe field augment: shift must be by a whole number of pixels, got {text!r}")
    if name == "blur" and not values[0]:
        raise ArgumentError(f"recipe field augment: the sigma of blur must be above 0, got {text!r}")
    steps = values[parameters.index("steps")] if "steps" in parameters else 1.0
    if name in ADVERSARIES and (min(values) <= 0 or steps != int(steps)):
        raise ArgumentError(f"recipe field augment: {name} takes whole steps of a length above 0, got {text!r}")
    if name.startswith("pgd_linf") and values[0] > 1:
        raise ArgumentError(
            f"recipe field augment: epsilon={values[0]:g} is longer than any change of an image: pixels lie in [0, 1], got "
            f"{text!r}: {values[0]:g} of 255 grey levels are {values[0]:g}/255"
        )
    if name == "affine" and values[2] >= 1:
        raise ArgumentError(f"recipe field augment: the scaling of affine must be below 1, got {text!r}")
    return name, values


def _number(text: str) -> float:
    """The number that a text holds, 0.5 or 8/255."""
    numerator, slash, denominator = text.partition("/")
    return float(numerator) / float(denominator) if slash else float(numerator)
