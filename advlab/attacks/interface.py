"""The one interface of all attacks: checks before, the algorithm, and every returned image classified again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advlab.attacks.base import Attack
from advlab.attacks.checks import check_classes, check_inputs, check_logits
from advlab.attacks.logits import margin
from advlab.attacks.network import CountedNetwork, Model
from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult, AttackResult
from advlab.attacks.status import Status
from advlab.models.classifier import frozen

BATCH = 256  # images a forward unless the caller says


@dataclass(frozen=True)
class Examined:
    """All images of a call, classified, and the problem of those that are attacked.

    Attributes:
        problem: of the eligible images alone.
        x: (N, C, H, W) images.
        labels: (N,); of a set-level attack the predictions.
        targets: (N,), or None.
        eligible: (N,) bool.
        finite: (N,) bool: whether the model's logits are.
    """

    problem: Problem
    x: Tensor
    labels: Tensor
    targets: Tensor | None
    eligible: Tensor
    finite: Tensor


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
    with examined(attack, model, inputs, labels, targets, bounds, batch_size, data) as images:
        return finish(attack, images, attack.run(images.problem))


@contextlib.contextmanager
def examined(
    attack: Attack,
    model: Model,
    inputs: Tensor,
    labels: Tensor,
    targets: Tensor | None,
    bounds: tuple[float, float],
    batch_size: int,
    data: dict[str, Tensor],
) -> Iterator[Examined]:
    """Arguments checked, images classified and the eligible ones chosen; the model in evaluation mode meanwhile.

    Raises:
        ValueError: names the argument and the remedy.
    """
    if batch_size < 0:
        raise ValueError(f"batch_size must be 0 ({BATCH} images) or more, got {batch_size}")
    x, y, t = check_inputs(attack, inputs, labels, targets, bounds, data)
    with evaluation_mode(model), torch.inference_mode(False):
        network = CountedNetwork(model, batch_size or BATCH)
        logits, gradients = first_look(attack, network, x, y, t)
        check_logits(logits, x, y, t)
        finite = torch.isfinite(logits).all(1)  # nothing can be said of the others
        if attack.set_level and len(x):  # it is to change what the network says, right or wrong
            y = torch.where(finite, logits.argmax(1), y)
        eligible = finite & (margin(logits, y, None) < 0) if attack.needs_correct else finite.clone()
        if t is not None and attack.needs_correct:  # a fooling image may start in its target's class
            eligible &= ~attack.achieved(logits, y, t)
        problem = Problem(
            network, x[eligible], y[eligible], None if t is None else t[eligible], logits[eligible], bounds,
            first_gradients=None if gradients is None else gradients[eligible], data=data,
        )  # fmt: skip
        yield Examined(problem, x, y, t, eligible, finite)


def first_look(
    attack: Attack, network: CountedNetwork, x: Tensor, y: Tensor, t: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Logits (N, K) of all images and, from the same forwards, the gradients of an attack that needs them here."""
    logits, gradients = [], []
    for start in range(0, len(x), network.batch_size):
        rows = slice(start, start + network.batch_size)
        if not attack.needs_first_gradient:
            with torch.no_grad():
                logits.append(network.logits(x[rows]))
            continue
        at = network.linearise(x[rows])
        targets = None if t is None else t[rows]
        check_classes(at.logits.shape[1], y[rows], targets)
        logits.append(at.logits)
        gradients.append(at.vjp(attack.first_cotangent(at.logits, y[rows], targets), last=True))
    return torch.cat(logits) if logits else x.flatten(1), torch.cat(gradients) if gradients else None


def finish(attack: Attack, images: Examined, result: AlgorithmResult) -> AttackResult:
    """Classify what is returned, and correct what the algorithm claims."""
    network, x, y, t, eligible = images.problem.network, images.x, images.labels, images.targets, images.eligible
    adv, index = x.clone(), eligible.nonzero()[:, 0]
    adv[index] = result.adv.detach().to(adv.dtype)
    n = len(x)
    logits = network.forward(adv) if n else images.problem.logits
    achieved = attack.achieved(logits, y, t) if n else eligible
    status = torch.full((n,), int(Status.INELIGIBLE), dtype=torch.int64, device=x.device)
    claimed = result.status.to(status)
    claimed = torch.where((claimed == Status.SUCCESS) & ~achieved[index], int(Status.LOST), claimed)
    # an attack with a fixed length does not look: what flips has succeeded
    status[index] = torch.where((claimed != Status.SUCCESS) & achieved[index], int(Status.SUCCESS), claimed)
    status[~images.finite] = int(Status.NONFINITE)
    steps = torch.zeros(n, dtype=torch.int64, device=x.device)
    steps[index] = result.steps.to(steps)
    epsilon = torch.full((n,), torch.nan, device=x.device)
    if result.epsilon is not None:
        epsilon[index] = result.epsilon.to(epsilon)
    return AttackResult(
        adv=adv,
        success=status == Status.SUCCESS,
        eligible=eligible.clone(),
        status=status,
        prediction=logits.argmax(1) if n else y.clone(),
        margin=margin(logits, y, attack.goal(t)) if n else adv.new_empty(0),
        distance=norms_of_each(adv - x, attack.norm_name) / images.problem.extent if n else adv.new_empty(0),
        steps=steps,
        epsilon=epsilon,
        forwards=network.forwards,
        backwards=network.backwards,
        universal=result.universal,
        facts=result.facts or {},
    )


@contextlib.contextmanager
def evaluation_mode(model: Model) -> Iterator[None]:
    """Evaluation mode without parameter gradients for a module, restored afterwards; nothing for another callable."""
    with frozen(model) if isinstance(model, nn.Module) else contextlib.nullcontext():
        yield
