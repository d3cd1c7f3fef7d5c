"""What is known of the images of a call before the algorithm begins: checked, classified, and which of them can be attacked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advlab.attacks.checks import check_batch_size, check_class_range, check_inputs, check_logits, check_network
from advlab.attacks.logits import margin
from advlab.attacks.network import CountedNetwork, LogitsFunction
from advlab.attacks.problem import Problem
from advlab.attacks.rejection import own_classes, rejected, without_reject
from advlab.attacks.traits import AttackTraits
from advlab.metrics.loss_gradient import saturated
from advlab.models.classifier import frozen

DEFAULT_BATCH_SIZE = 256  # images a forward


@dataclass(frozen=True)
class ExaminedImages:
    """All images of a call, classified, and the problem of those that are attacked.

    Attributes:
        problem: of the eligible images alone.
        x: (N, C, H, W) images.
        labels: (N,); of a set-level attack the predictions.
        targets: (N,), or None.
        eligible: (N,) bool.
        finite: (N,) bool: whether the model's logits are.
        saturated: (N,) bool: as in `AttackResult`.
    """

    problem: Problem
    x: Tensor
    labels: Tensor
    targets: Tensor | None
    eligible: Tensor
    finite: Tensor
    saturated: Tensor


@contextlib.contextmanager
def examined(
    attack: AttackTraits,
    model: LogitsFunction,
    inputs: Tensor,
    labels: Tensor,
    targets: Tensor | None,
    bounds: tuple[float, float],
    batch_size: int,
    data: dict[str, Tensor],
) -> Iterator[ExaminedImages]:
    """Check the arguments, classify the images and choose the eligible ones; meanwhile the model is in evaluation mode.

    Raises:
        ArgumentError: names the argument and the remedy.
    """
    check_network(model)
    check_batch_size(batch_size, DEFAULT_BATCH_SIZE)
    x, labels, targets = check_inputs(attack, inputs, labels, targets, bounds, data)
    with evaluation_mode(model), torch.inference_mode(False):
        network = CountedNetwork(
            model, batch_size or DEFAULT_BATCH_SIZE, attack.draws, sees_rejection=attack.sees_rejection
        )
        logits, gradients = logits_and_first_gradients(attack, network, x, labels, targets)
        check_logits(logits, x, labels, targets, rejects=network.rejects)
        finite = torch.isfinite(logits).all(1)  # nothing can be said of the others
        if attack.set_level and len(x):  # it is to change what the network says, right or wrong
            classes = logits[:, :-1] if network.rejects else logits
            labels = torch.where(finite, classes.argmax(1), labels)
        eligible = finite & attackable(attack, network, logits, labels, targets)
        if network.random and len(x):  # so that an image that has not moved is never a success
            judged = network.raw_forward(x, judging=True)
            eligible &= attackable(attack, network, judged, labels, targets)
            if attack.set_level:
                eligible &= judged.argmax(1) == labels
        certain = saturated(logits, labels) if len(x) else torch.zeros_like(eligible)
        if network.folds:
            logits = without_reject(logits, own_classes(labels, targets, logits.shape[1] - 1))
        problem = Problem(
            network, x[eligible], labels[eligible], None if targets is None else targets[eligible], logits[eligible], bounds,
            first_gradients=None if gradients is None else gradients[eligible], data=data,
        )  # fmt: skip
        yield ExaminedImages(problem, x, labels, targets, eligible, finite, certain)


def attackable(
    attack: AttackTraits, network: CountedNetwork, logits: Tensor, labels: Tensor, targets: Tensor | None
) -> Tensor:
    """(N,) bool: which images this attack takes, judging by their logits (N, K) with a reject output where there is one."""
    taken = torch.ones_like(labels, dtype=torch.bool)
    if attack.needs_correct:
        taken = margin(logits, labels, None) < 0  # a rejected image is not classified as its label
        if targets is not None:  # a fooling image may start in its target's class
            classes = without_reject(logits, labels) if network.rejects else logits
            taken &= ~attack.achieved(classes, labels, targets)
    elif attack.set_level and network.rejects:
        taken = ~rejected(logits)
    return taken


def logits_and_first_gradients(
    attack: AttackTraits, network: CountedNetwork, x: Tensor, labels: Tensor, targets: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Logits (N, K) of all images, with a reject output where there is one, and the gradients (N, C, H, W) of an attack that
    needs them, from the same forwards."""
    logits, gradients = [], []
    for start in range(0, len(x), network.batch_size):
        rows = slice(start, start + network.batch_size)
        if not attack.needs_first_gradient:
            with torch.no_grad():
                logits.append(network.raw_logits(x[rows]))
            continue
        # the reject output is left out: images that are attacked are not rejected, so that it is below their label's logit
        linearisation = network.linearise(x[rows])
        targets_of_batch = None if targets is None else targets[rows]
        classes = linearisation.logits.shape[1]
        check_class_range(classes, labels[rows], targets_of_batch, rejects=network.rejects)
        cotangent = attack.first_cotangent(linearisation.logits, labels[rows], targets_of_batch)
        logits.append(linearisation.raw_logits)
        gradients.append(linearisation.vjp(cotangent, last=True))
    return torch.cat(logits) if logits else x.flatten(1), torch.cat(gradients) if gradients else None


@contextlib.contextmanager
def evaluation_mode(model: LogitsFunction) -> Iterator[None]:
    """A module is in evaluation mode and its parameters take no gradients, and is restored after; other callables stay."""
    with frozen(model) if isinstance(model, nn.Module) else contextlib.nullcontext():
        yield
