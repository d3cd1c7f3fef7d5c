"""What is refused before an algorithm begins: inputs, labels, targets, bounds and logits that an attack cannot work on."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from advlab.attacks.traits import AttackTraits, in_grey_levels
from advlab.errors import ArgumentError


def check_inputs(
    attack: AttackTraits,
    inputs: Tensor,
    labels: Tensor,
    targets: Tensor | None,
    bounds: tuple[float, float],
    data: dict[str, Tensor],
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Check the arguments of a call; gives inputs, labels and targets as the algorithms take them.

    These are images (N, C, H, W) clipped to the bounds, and classes (N,) in int64 on the images' device.

    Raises:
        ArgumentError: names the argument and the remedy.
    """
    unknown = sorted(set(data) - set(attack.extra_inputs))
    if unknown:
        raise ArgumentError(
            f"{attack.label} takes no {unknown[0]}=; it takes {', '.join(attack.extra_inputs) or 'nothing besides'}"
        )
    for name, values in {"inputs": inputs, "labels": labels, "targets": targets, **data}.items():
        if not isinstance(values, Tensor) and (name, values) != ("targets", None):
            raise ArgumentError(f"{name} must be a tensor, got {type(values).__name__}: use torch.as_tensor")
    inputs = inputs.detach()
    check_images(inputs, bounds)
    check_radius(attack, inputs)
    check_label_tensors(attack, inputs, labels, targets)
    x = inputs.clone() if inputs.is_inference() else inputs
    x = x.clamp(*bounds)
    y = labels.to(device=x.device, dtype=torch.int64)
    return x, y, None if targets is None else targets.to(device=x.device, dtype=torch.int64)


def check_batch_size(batch_size: int, default: int) -> None:
    """Refuse a negative number of images a forward; 0 stands for `default`.

    Raises:
        ArgumentError: names the argument.
    """
    if batch_size < 0:
        raise ArgumentError(f"batch_size must be 0 ({default} images) or more, got {batch_size}")


def check_images(inputs: Tensor, bounds: tuple[float, float]) -> None:
    """Refuse bounds that are none, and what is not images (N, C, H, W) inside them.

    Raises:
        ArgumentError: names the argument and the remedy.
    """
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise ArgumentError(f"bounds must be (lowest, highest) pixel value, got {bounds}")
    low, high = bounds
    if not (low < high and math.isfinite(high - low)):
        raise ArgumentError(f"bounds must be (lowest, highest) pixel value, got {bounds}")
    if inputs.dtype not in (torch.float32, torch.float64) or inputs.ndim != 4:
        raise ArgumentError(
            f"inputs must be float32 or float64 images of shape (N, C, H, W), got {inputs.dtype} of {tuple(inputs.shape)}"
        )
    if not bool(torch.isfinite(inputs).all()):
        broken = (~torch.isfinite(inputs.flatten(1)).all(1)).nonzero()[:, 0].tolist()
        raise ArgumentError(
            f"inputs[{broken[0]}] has values that are NaN or infinite ({len(broken)} images do): leave them out"
        )
    slack = 1e-6 * (high - low)  # for rounding
    if inputs.numel() and not (float(inputs.min()) >= low - slack and float(inputs.max()) <= high + slack):
        raise ArgumentError(
            f"inputs reach from {float(inputs.min()):g} to {float(inputs.max()):g}, outside bounds={bounds}: "
            "say bounds=(lowest, highest), and normalise inside the model"
        )


def check_radius(attack: AttackTraits, inputs: Tensor) -> None:
    """Refuse an L2 ball that holds every image of the inputs' size; noise says its length before it is clipped.

    Raises:
        ArgumentError: names the radius, and the number that was probably meant.
    """
    epsilon, furthest = getattr(attack, "epsilon", 0.0), math.sqrt(inputs[0].numel()) if len(inputs) else math.inf
    if attack.norm_name == "l2" and attack.label != "Noise" and epsilon > furthest:
        raise ArgumentError(
            f"epsilon={epsilon:g} is longer than any change of an image: those of {inputs[0].numel()} pixels in [0, 1] are at most "
            f"{furthest:.4g} apart in L2{in_grey_levels(epsilon)}"
        )


def check_network(model: object) -> None:
    """Refuse a class of networks, and what is no function.

    Raises:
        ArgumentError: says what to give.
    """
    if isinstance(model, type):
        raise ArgumentError(f"model: {model.__name__} is a class: call it, {model.__name__}()")
    if not callable(model):
        raise ArgumentError(f"model must be a function from images to logits, got {type(model).__name__}")


def check_label_tensors(attack: AttackTraits, inputs: Tensor, labels: Tensor, targets: Tensor | None) -> None:
    """Refuse labels and targets that are not one class an image, and targets that this attack does not take or lacks.

    Raises:
        ArgumentError: names the argument and the remedy.
    """
    classes_by_name = {"labels": labels} if targets is None else {"labels": labels, "targets": targets}
    for name, values in classes_by_name.items():
        if values.shape != inputs.shape[:1] or values.is_floating_point() or values.dtype == torch.bool:
            raise ArgumentError(
                f"{name} must be whole numbers of shape ({len(inputs)},), one an image, got {values.dtype} of {tuple(values.shape)}"
            )
    if targets is None and attack.targeted == "always":
        raise ArgumentError(f"{attack.label} needs targets=, the class that each image is to reach")
    if targets is not None and attack.targeted == "never":
        raise ArgumentError(f"{attack.label} takes no targets")
    if targets is not None and attack.needs_correct and bool((targets == labels).any()):
        index = int((targets == labels).nonzero()[0])
        raise ArgumentError(f"targets[{index}] is the label {int(labels[index])} itself: give another class")


def check_logits(logits: Tensor, x: Tensor, labels: Tensor, targets: Tensor | None, *, rejects: bool = False) -> None:
    """Refuse a model that gives probabilities instead of logits (N, K), and classes that it does not have.

    Raises:
        ArgumentError: names the class or the remedy.
    """
    if not len(x):
        return
    sums = logits.double().sum(1)
    if bool((logits >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
        raise ArgumentError("the model gives probabilities: attacks need logits, take its final softmax away")
    if rejects and logits.shape[1] < 3:
        raise ArgumentError(
            f"a network that rejects must give logits (N, classes + 1) of two classes or more, it gives {tuple(logits.shape)}"
        )
    check_class_range(logits.shape[1] - rejects, labels, targets, rejects=rejects)


def check_class_range(count: int, labels: Tensor, targets: Tensor | None, *, rejects: bool = False) -> None:
    """Refuse classes that a model with `count` of them does not have, and the one that says of a network that it rejects.

    Raises:
        ArgumentError: names the class.
    """
    for name, values in (("labels", labels), ("targets", targets)):
        if values is not None and bool(((values < 0) | (values >= count)).any()):
            wrong = int(values[(values < 0) | (values >= count)][0])
            rejected = rejects and wrong == count
            raise ArgumentError(
                f"{name} hold the class {wrong}, the model has the classes 0 to {count - 1}"
                + (": it is that of rejected images, of which no attack starts: type defense=none" if rejected else "")
            )
