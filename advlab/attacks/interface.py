"""The call of every attack: checks, the algorithm on the images that can be attacked, and every returned image classified.

Three objects follow each other: `ExaminedImages` (all N images, classified), the `Problem` in it (the eligible ones, handed
to the algorithm) and the `AttackResult` (all N again). Only the counts of the problem's network change.
"""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.attacks.examination import ExaminedImages, evaluation_mode, examined
from advlab.attacks.logits import margin
from advlab.attacks.network import CountedNetwork, LogitsFunction
from advlab.attacks.norms import norms_of_each
from advlab.attacks.rejection import own_classes, rejected, without_reject
from advlab.attacks.results import AlgorithmResult, AttackResult
from advlab.attacks.status import Status
from advlab.attacks.traits import AttackTraits


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


def checked_result(attack: AttackTraits, images: ExaminedImages, result: AlgorithmResult) -> AttackResult:
    """The result of all images: what the algorithm returned is classified, and its claims are corrected by that."""
    network, x, labels, targets = images.problem.network, images.x, images.labels, images.targets
    n, index = len(x), images.eligible.nonzero()[:, 0]
    adv = x.clone()
    adv[index] = result.adv.detach().to(adv.dtype)
    raw = network.raw_forward(adv, judging=True) if n else images.problem.logits
    turned_away = rejected(raw) if n and network.rejects else torch.zeros_like(images.eligible)
    logits = without_reject(raw, own_classes(labels, targets, raw.shape[1] - 1)) if n and network.folds else raw
    achieved = attack.achieved(logits, labels, targets) & ~turned_away if n else images.eligible
    steps = torch.zeros(n, dtype=torch.int64, device=x.device)
    steps[index] = result.steps.to(steps)
    epsilon = torch.full((n,), torch.nan, device=x.device)
    if result.epsilon is not None:
        epsilon[index] = result.epsilon.to(epsilon)
    status = checked_status(result.status, achieved, index, images.finite)
    status[images.eligible & turned_away] = int(Status.REJECTED)
    return AttackResult(
        adv=adv,
        success=status == Status.SUCCESS,
        eligible=images.eligible.clone(),
        status=status,
        saturated=images.saturated.clone(),
        rejected=turned_away,
        prediction=torch.where(turned_away, raw.shape[1] - 1, raw.argmax(1)) if n else labels.clone(),
        margin=margin(logits, labels, attack.goal(targets)) if n else adv.new_empty(0),
        distance=norms_of_each(adv - x, attack.norm_name) / images.problem.extent if n else adv.new_empty(0),
        steps=steps,
        epsilon=epsilon,
        forwards=network.forwards,
        backwards=network.backwards,
        universal=result.universal,
        facts={**(result.facts or {}), **network.facts()},
    )


def judge_images(
    attack: AttackTraits,
    model: LogitsFunction,
    images: Tensor,
    labels: Tensor,
    targets: Tensor | None,
    *,
    batch_size: int,
) -> tuple[Tensor, int]:
    """Whether images, such as an attack's after rounding, are what the attack is after; judged as `checked_result` does.

    Args:
        attack: says what it is after, and over how many draws a random network is judged.
        model: as in `run_attack`.
        images: (n, C, H, W), at least one.
        labels: (n,) classes to leave.
        targets: (n,) classes to reach, or None.
        batch_size: images a forward, at most.

    Returns:
        (n,) bool, and the number of forwards.
    """
    with evaluation_mode(model), torch.inference_mode(False):
        network = CountedNetwork(model, batch_size, attack.draws, sees_rejection=attack.sees_rejection)
        raw = network.raw_forward(images, judging=True)
    logits = without_reject(raw, own_classes(labels, targets, raw.shape[1] - 1)) if network.folds else raw
    achieved = attack.achieved(logits, labels, targets)
    return (achieved & ~rejected(raw) if network.rejects else achieved), network.forwards


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
