"""The call of every attack: checks, the algorithm on the images that can be attacked, and every returned image classified.

Three objects follow each other: `ExaminedImages` (all N images, classified), the `Problem` in it (the eligible ones, handed
to the algorithm) and the `AttackResult` (all N again). Only the counts of the problem's network change.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from advlab.attacks.checks import check_batch_size, check_class_range, check_inputs, check_logits
from advlab.attacks.logits import margin
from advlab.attacks.network import CountedNetwork, LogitsFunction
from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult, AttackResult
from advlab.attacks.status import Status
from advlab.attacks.traits import AttackTraits
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
    """

    problem: Problem
    x: Tensor
    labels: Tensor
    targets: Tensor | None
    eligible: Tensor
    finite: Tensor


def run_attack(
    attack: AttackTraits,
    model: LogitsFunction,
    inputs: Tensor,
    labels: Tensor,
    *,
    targets: Tensor | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
    batch_size: int = 0,
    **data: Tensor,
) -> AttackResult:
    """Attack images; this is what calling an attack does.

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
        ArgumentError: names the argument and the remedy.

    Images of two pixels, classified by which pixel is the brighter:

    >>> from advlab.attacks import PGD, DeepFool
    >>> model = lambda x: 10 * x.flatten(1)
    >>> x = torch.tensor([[[[0.8, 0.2]]], [[[0.4, 0.6]]]], dtype=torch.float64)
    >>> labels = torch.tensor([0, 0])
    >>> result = DeepFool()(model, x, labels)
    >>> result.success.tolist(), result.eligible.tolist()  # the second image is not classified as its label
    ([True, False], [True, False])
    >>> [Status(status).name for status in result.status.tolist()]
    ['SUCCESS', 'INELIGIBLE']
    >>> torch.round(result.adv[0], decimals=3).tolist()  # just behind the boundary, which is 0.6 / sqrt(2) away in L2
    [[[0.494, 0.506]]]
    >>> round(float(result.distance[0]), 3), round(0.6 / 2**0.5, 3)
    (0.433, 0.424)

    The boundary is .3 away in the L-infinity norm: no perturbation shorter than that succeeds.

    >>> for epsilon in (0.29, 0.31):
    ...     result = PGD(epsilon=epsilon, random_start=False)(model, x[:1], labels[:1])
    ...     print(torch.round(result.adv, decimals=2).flatten().tolist(), Status(int(result.status)).name)
    [0.51, 0.49] MAX_ITER
    [0.49, 0.51] SUCCESS
    """
    with examined(attack, model, inputs, labels, targets, bounds, batch_size, data) as images:
        return checked_result(attack, images, attack.run(images.problem))


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
    check_batch_size(batch_size, DEFAULT_BATCH_SIZE)
    x, labels, targets = check_inputs(attack, inputs, labels, targets, bounds, data)
    with evaluation_mode(model), torch.inference_mode(False):
        network = CountedNetwork(model, batch_size or DEFAULT_BATCH_SIZE)
        logits, gradients = logits_and_first_gradients(attack, network, x, labels, targets)
        check_logits(logits, x, labels, targets)
        finite = torch.isfinite(logits).all(1)  # nothing can be said of the others
        if attack.set_level and len(x):  # it is to change what the network says, right or wrong
            labels = torch.where(finite, logits.argmax(1), labels)
        eligible = finite & (margin(logits, labels, None) < 0) if attack.needs_correct else finite.clone()
        if targets is not None and attack.needs_correct:  # a fooling image may start in its target's class
            eligible &= ~attack.achieved(logits, labels, targets)
        problem = Problem(
            network, x[eligible], labels[eligible], None if targets is None else targets[eligible], logits[eligible], bounds,
            first_gradients=None if gradients is None else gradients[eligible], data=data,
        )  # fmt: skip
        yield ExaminedImages(problem, x, labels, targets, eligible, finite)


def logits_and_first_gradients(
    attack: AttackTraits, network: CountedNetwork, x: Tensor, labels: Tensor, targets: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Logits (N, K) of all images and, from the same forwards, the gradients (N, C, H, W) of an attack that needs them."""
    logits, gradients = [], []
    for start in range(0, len(x), network.batch_size):
        rows = slice(start, start + network.batch_size)
        if not attack.needs_first_gradient:
            with torch.no_grad():
                logits.append(network.logits(x[rows]))
            continue
        linearisation = network.linearise(x[rows])
        targets_of_batch = None if targets is None else targets[rows]
        check_class_range(linearisation.logits.shape[1], labels[rows], targets_of_batch)
        cotangent = attack.first_cotangent(linearisation.logits, labels[rows], targets_of_batch)
        logits.append(linearisation.logits)
        gradients.append(linearisation.vjp(cotangent, last=True))
    return torch.cat(logits) if logits else x.flatten(1), torch.cat(gradients) if gradients else None


def checked_result(attack: AttackTraits, images: ExaminedImages, result: AlgorithmResult) -> AttackResult:
    """The result of all images: what the algorithm returned is classified, and its claims are corrected by that."""
    network, x, labels, targets = images.problem.network, images.x, images.labels, images.targets
    n, index = len(x), images.eligible.nonzero()[:, 0]
    adv = x.clone()
    adv[index] = result.adv.detach().to(adv.dtype)
    logits = network.forward(adv) if n else images.problem.logits
    achieved = attack.achieved(logits, labels, targets) if n else images.eligible
    steps = torch.zeros(n, dtype=torch.int64, device=x.device)
    steps[index] = result.steps.to(steps)
    epsilon = torch.full((n,), torch.nan, device=x.device)
    if result.epsilon is not None:
        epsilon[index] = result.epsilon.to(epsilon)
    status = checked_status(result.status, achieved, index, images.finite)
    return AttackResult(
        adv=adv,
        success=status == Status.SUCCESS,
        eligible=images.eligible.clone(),
        status=status,
        prediction=logits.argmax(1) if n else labels.clone(),
        margin=margin(logits, labels, attack.goal(targets)) if n else adv.new_empty(0),
        distance=norms_of_each(adv - x, attack.norm_name) / images.problem.extent if n else adv.new_empty(0),
        steps=steps,
        epsilon=epsilon,
        forwards=network.forwards,
        backwards=network.backwards,
        universal=result.universal,
        facts=result.facts or {},
    )


def checked_status(claimed: Tensor, achieved: Tensor, index: Tensor, finite: Tensor) -> Tensor:
    """(N,) int64 how each image ended.

    Args:
        claimed: (n,) what the algorithm says of the eligible images.
        achieved: (N,) bool: whether the returned images are what the attack is after.
        index: (n,) which images are eligible.
        finite: (N,) bool: whether the logits of the images themselves are.

    >>> claimed = torch.tensor([Status.SUCCESS, Status.SUCCESS, Status.MAX_ITER])
    >>> status = checked_status(claimed, torch.tensor([True, False, True]), torch.arange(3), torch.ones(3).bool())
    >>> [Status(value).name for value in status.tolist()]
    ['SUCCESS', 'LOST', 'SUCCESS']
    """
    status = torch.full_like(finite, int(Status.INELIGIBLE), dtype=torch.int64)
    claimed = claimed.to(status)
    corrected = torch.where((claimed == Status.SUCCESS) & ~achieved[index], int(Status.LOST), claimed)
    # an attack of fixed length does not look whether it has succeeded: what flips has
    status[index] = torch.where((corrected != Status.SUCCESS) & achieved[index], int(Status.SUCCESS), corrected)
    status[~finite] = int(Status.NONFINITE)
    return status


@contextlib.contextmanager
def evaluation_mode(model: LogitsFunction) -> Iterator[None]:
    """A module is in evaluation mode and its parameters take no gradients, and is restored after; other callables stay."""
    with frozen(model) if isinstance(model, nn.Module) else contextlib.nullcontext():
        yield
