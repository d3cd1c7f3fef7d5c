"""The one interface of all attacks: checks before, the algorithm, and every returned image classified again."""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from advlab.attacks.problem import Model, Problem, lengths, margin, memory_format
from advlab.attacks.status import Status
from advlab.models.classifier import frozen

if TYPE_CHECKING:
    from advlab.attacks.base import Attack

BATCH = 256  # images a forward unless the caller says


@dataclass(frozen=True)
class AlgorithmResult:
    """What an algorithm gives back for the eligible images.

    Attributes:
        adv: (N, C, H, W) the best image for each, successful or not.
        status: (N,) int64 of `Status`; what claims SUCCESS is checked again.
        steps: (N,) int64 iterations.
        epsilon: (N,) the weight w of the direction that a search found, in units of the bounds' length; NaN where
            there is none. None: the attack has no such weight.
        universal: (C, H, W) the one perturbation of a set-level attack.
        facts: further numbers of the whole call, for tables and benchmarks.
    """

    adv: Tensor
    status: Tensor
    steps: Tensor
    epsilon: Tensor | None = None
    universal: Tensor | None = None
    facts: dict[str, Any] | None = None


@dataclass(frozen=True)
class AttackResult:
    """One attack on N images; the tensors live where the inputs do.

    Attributes:
        adv: (N, C, H, W) images in the inputs' precision; ineligible ones as they were.
        success: (N,) bool: eligible, and `adv` is classified as the attack wants. Checked on `adv` itself.
        eligible: (N,) bool: classified as its label before the attack (targeted: and the target is another class).
        status: (N,) int64 of `Status`.
        prediction: (N,) int64 class of `adv`.
        margin: (N,) by how much in logits (see `problem.margin`); above 0 where the attack succeeded, except that fooling
            images may reach a level of at most one half without it.
        distance: (N,) norm of adv - inputs in the attack's own norm, in units of the bounds' length.
        steps: (N,) int64 iterations.
        epsilon: (N,) weight of the direction, NaN where there is none.
        forwards, backwards: images, of the whole call (the checks before and after included).
        universal: (C, H, W) of a set-level attack.
        facts: further numbers of the whole call.
    """

    adv: Tensor
    success: Tensor
    eligible: Tensor
    status: Tensor
    prediction: Tensor
    margin: Tensor
    distance: Tensor
    steps: Tensor
    epsilon: Tensor
    forwards: int
    backwards: int
    universal: Tensor | None
    facts: dict[str, Any]


def attack(
    attack: Attack,
    model: Model,
    inputs: Tensor,
    labels: Tensor,
    *,
    targets: Tensor | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
    batch_size: int = 0,
    **data: Tensor,
) -> AttackResult:
    """Attack images; `Attack.__call__` leads here.

    Args:
        attack: its hyperparameters.
        model: gives logits (N, K) for images (N, C, H, W) in the units of `bounds`. A module is attacked in evaluation mode;
            its modes and its parameters' `.grad` are afterwards as they were. Any other callable is taken as it is: call
            `eval()` on the networks inside it.
        inputs: (N, C, H, W) images inside `bounds`, on the model's device.
        labels: (N,) classes; what is classified otherwise is not attacked.
        targets: (N,) classes to reach.
        bounds: lowest and highest pixel value.
        batch_size: images a forward at most; 0: 256. Results do not depend on it beyond float rounding.
        data: what this attack takes besides (`basis` of a confined DeepFool, `held_out` of UAP).

    Raises:
        ValueError: names the argument and the remedy.
    """
    with begun(attack, model, inputs, labels, targets, bounds, batch_size, data) as start:
        return finish(attack, start, named(attack.method)(start.problem, attack))


@dataclass(frozen=True)
class Start:
    """What stands before an algorithm: its problem, of the eligible images alone, and all that were given.

    Attributes:
        problem: what the algorithm works on.
        x: (N, C, H, W) images.
        y: (N,) labels; of a set-level attack the predictions.
        t: (N,) targets, or None.
        eligible: (N,) bool.
        finite: (N,) bool: whether the model's logits are.
    """

    problem: Problem
    x: Tensor
    y: Tensor
    t: Tensor | None
    eligible: Tensor
    finite: Tensor


@contextlib.contextmanager
def begun(
    attack: Attack,
    model: Model,
    inputs: Tensor,
    labels: Tensor,
    targets: Tensor | None,
    bounds: tuple[float, float],
    batch_size: int,
    data: dict[str, Tensor],
) -> Iterator[Start]:
    """Arguments checked, images classified and the eligible ones chosen; the model in evaluation mode meanwhile.

    Raises:
        ValueError: names the argument and the remedy.
    """
    if batch_size < 0:
        raise ValueError(f"batch_size must be 0 ({BATCH} images) or more, got {batch_size}")
    x, y, t = check(attack, inputs, labels, targets, bounds, data)
    with modes(model), torch.inference_mode(False):
        problem = Problem(
            model, x, y, t, x.new_empty(0, 0), bounds, batch_size or BATCH, memory_format(model), data=data
        )
        logits, slopes = first_look(attack, problem, x, y, t)
        check_logits(logits, x, y, t)
        finite = torch.isfinite(logits).all(1)  # nothing can be said of the others
        if attack.set_level and len(x):  # it is to change what the network says, right or wrong
            y = torch.where(finite, logits.argmax(1), y)
        eligible = finite & (margin(logits, y, None) < 0) if attack.needs_correct else finite.clone()
        if t is not None and attack.needs_correct:  # a fooling image may start in its target's class
            eligible &= ~attack.achieved(logits, y, t)
        problem.x, problem.labels, problem.logits = x[eligible], y[eligible], logits[eligible]
        problem.targets = None if t is None else t[eligible]
        problem.slopes = None if slopes is None else slopes[eligible]
        yield Start(problem, x, y, t, eligible, finite)


def named(function: Any) -> Any:
    """A function, or the one that `module:name` names."""
    if not isinstance(function, str):
        return function
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def first_look(
    attack: Attack, problem: Problem, x: Tensor, y: Tensor, t: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Logits (N, K) of all images and, from the same forwards, the gradients of an attack that names its `cotangent`."""
    logits, slopes = [], []
    for start in range(0, len(x), problem.batch_size):
        rows = slice(start, start + problem.batch_size)
        if not attack.cotangent:
            with torch.no_grad():
                logits.append(problem.call(x[rows]))
            continue
        at = problem.linearise(x[rows])
        targets = None if t is None else t[rows]
        check_classes(at.logits.shape[1], y[rows], targets)
        logits.append(at.logits)
        slopes.append(at.vjp(named(attack.cotangent)(at.logits, y[rows], targets), last=True))
    return torch.cat(logits) if logits else x.flatten(1), torch.cat(slopes) if slopes else None


def finish(attack: Attack, start: Start, outcome: AlgorithmResult) -> AttackResult:
    """Classify what is returned, and correct what the algorithm claims."""
    problem, x, y, t, eligible = start.problem, start.x, start.y, start.t, start.eligible
    adv, index = x.clone(), eligible.nonzero()[:, 0]
    adv[index] = outcome.adv.detach().to(adv.dtype)
    n = len(x)
    problem.x, problem.labels, problem.targets = x, y, t
    logits = problem.forward(adv) if n else problem.logits
    achieved = attack.achieved(logits, y, t) if n else eligible
    status = torch.full((n,), int(Status.INELIGIBLE), dtype=torch.int64, device=x.device)
    claimed = outcome.status.to(status)
    claimed = torch.where((claimed == Status.SUCCESS) & ~achieved[index], int(Status.LOST), claimed)
    # an attack with a fixed length does not look: what flips has succeeded
    status[index] = torch.where((claimed != Status.SUCCESS) & achieved[index], int(Status.SUCCESS), claimed)
    status[~start.finite] = int(Status.NONFINITE)
    steps = torch.zeros(n, dtype=torch.int64, device=x.device)
    steps[index] = outcome.steps.to(steps)
    epsilon = torch.full((n,), torch.nan, device=x.device)
    if outcome.epsilon is not None:
        epsilon[index] = outcome.epsilon.to(epsilon)
    return AttackResult(
        adv=adv,
        success=status == Status.SUCCESS,
        eligible=eligible.clone(),
        status=status,
        prediction=logits.argmax(1) if n else y.clone(),
        margin=margin(logits, y, attack.goal(t)) if n else adv.new_empty(0),
        distance=lengths(adv - x, attack.norm_name) / problem.extent if n else adv.new_empty(0),
        steps=steps,
        epsilon=epsilon,
        forwards=problem.forwards,
        backwards=problem.backwards,
        universal=outcome.universal,
        facts=outcome.facts or {},
    )


@contextlib.contextmanager
def modes(model: Model) -> Iterator[None]:
    """Evaluation mode without parameter gradients for a module, restored afterwards; nothing for another callable."""
    with frozen(model) if isinstance(model, nn.Module) else contextlib.nullcontext():
        yield


def check(
    attack: Attack,
    inputs: Tensor,
    labels: Tensor,
    targets: Tensor | None,
    bounds: tuple[float, float],
    data: dict[str, Tensor],
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Inputs, labels and targets as the algorithms take them.

    Raises:
        ValueError: names the argument and the remedy.
    """
    unknown = sorted(set(data) - set(attack.takes))
    if unknown:
        raise ValueError(
            f"{attack.label} takes no {unknown[0]}=; it takes {', '.join(attack.takes) or 'nothing besides'}"
        )
    for name, values in {"inputs": inputs, "labels": labels, "targets": targets, **data}.items():
        if not isinstance(values, Tensor) and (name, values) != ("targets", None):
            raise ValueError(f"{name} must be a tensor, got {type(values).__name__}: use torch.as_tensor")
    inputs = inputs.detach()
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise ValueError(f"bounds must be (lowest, highest) pixel value, got {bounds}")
    low, high = bounds
    if not (low < high and math.isfinite(high - low)):
        raise ValueError(f"bounds must be (lowest, highest) pixel value, got {bounds}")
    if inputs.dtype not in (torch.float32, torch.float64) or inputs.ndim != 4:
        raise ValueError(
            f"inputs must be float32 or float64 images of shape (N, C, H, W), got {inputs.dtype} of {tuple(inputs.shape)}"
        )
    slack = 1e-6 * (high - low)  # of rounding
    if not bool(torch.isfinite(inputs).all()):
        bad = (~torch.isfinite(inputs.flatten(1)).all(1)).nonzero()[:, 0].tolist()
        raise ValueError(f"inputs[{bad[0]}] has values that are NaN or infinite ({len(bad)} images do): leave them out")
    if inputs.numel() and not (float(inputs.min()) >= low - slack and float(inputs.max()) <= high + slack):
        raise ValueError(
            f"inputs reach from {float(inputs.min()):g} to {float(inputs.max()):g}, outside bounds={bounds}: "
            "say bounds=(lowest, highest), and normalise inside the model"
        )
    named = {"labels": labels} if targets is None else {"labels": labels, "targets": targets}
    for name, values in named.items():
        if values.shape != inputs.shape[:1] or values.is_floating_point() or values.dtype == torch.bool:
            raise ValueError(
                f"{name} must be whole numbers of shape ({len(inputs)},), one an image, got {values.dtype} of {tuple(values.shape)}"
            )
    if targets is None and attack.targeted == "always":
        raise ValueError(f"{attack.label} needs targets=, the class that each image is to reach")
    if targets is not None and attack.targeted == "never":
        raise ValueError(f"{attack.label} takes no targets")
    if targets is not None and attack.needs_correct and bool((targets == labels).any()):
        index = int((targets == labels).nonzero()[0])
        raise ValueError(f"targets[{index}] is the label {int(labels[index])} itself: give another class")
    x = inputs.clone() if inputs.is_inference() else inputs
    x = x.clamp(low, high)
    y = labels.to(device=x.device, dtype=torch.int64)
    return x, y, None if targets is None else targets.to(device=x.device, dtype=torch.int64)


def check_logits(logits: Tensor, x: Tensor, labels: Tensor, targets: Tensor | None) -> None:
    """Refuse a model that gives probabilities, and classes that it does not have.

    Raises:
        ValueError: names the class or the remedy.
    """
    if not len(x):
        return
    sums = logits.double().sum(1)
    if bool((logits >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
        raise ValueError("the model gives probabilities: attacks need logits, take its final softmax away")
    check_classes(logits.shape[1], labels, targets)


def check_classes(count: int, labels: Tensor, targets: Tensor | None) -> None:
    """Refuse classes that a model with `count` of them does not have.

    Raises:
        ValueError: names the class.
    """
    for name, values in (("labels", labels), ("targets", targets)):
        if values is not None and bool(((values < 0) | (values >= count)).any()):
            wrong = int(values[(values < 0) | (values >= count)][0])
            raise ValueError(f"{name} hold the class {wrong}, the model has the classes 0 to {count - 1}")
