"""Projected gradient ascent of the loss inside an L2 or L-infinity ball (Madry et al. 2018)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from advlab.attacks.ascent.ball import Ball, random_offsets
from advlab.attacks.ascent.pgd.params import PGD
from advlab.attacks.base import Arithmetic
from advlab.attacks.logits import margin
from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status
from advlab.metrics.loss_gradient import cross_entropy_direction


def run(problem: Problem, params: PGD) -> AlgorithmResult:
    """Ascend the loss of the label, or descend that of the target.

    The returned image is the iterate of the largest margin, the start among them: so none that succeeds is lost. Of several
    restarts an image takes the first that succeeds, else the one with the largest margin.
    """
    x = problem.x
    adv, steps = x.clone(), torch.zeros(len(x), dtype=torch.int64, device=x.device)
    status = torch.full((len(x),), int(Status.MAX_ITER), dtype=torch.int64, device=x.device)
    if params.epsilon == 0 or not len(x):
        return AlgorithmResult(adv, status, steps)
    largest_margin = torch.full((len(x),), -torch.inf, dtype=x.dtype, device=x.device)
    unsuccessful = torch.arange(len(x), device=x.device)
    for restart in range(params.restarts):
        for index in unsuccessful.split(problem.batch_size):
            best, margins, status_if_failed = ascend_in_ball(problem, params, index, restart)
            steps[index] += params.steps
            larger = margins > largest_margin[index] if restart else torch.ones_like(margins, dtype=torch.bool)
            kept = index[larger]
            adv[kept], status[kept] = best[larger], status_if_failed[larger]
            largest_margin[kept] = margins[larger]
        if restart + 1 < params.restarts:
            unsuccessful = unsuccessful[largest_margin[unsuccessful] <= 0]
            if not len(unsuccessful):
                break
    return AlgorithmResult(adv, status, steps)


def ascend_in_ball(problem: Problem, params: PGD, index: Tensor, restart: int) -> tuple[Tensor, Tensor, Tensor]:
    """What one batch reaches from one start.

    One forward and one backward a step for the whole batch, and a last forward; the host never waits for the device.

    Args:
        problem: gives logits and gradients.
        params: of the ascent.
        index: (n,) which images of the problem.
        restart: number of the start.

    Returns:
        The iterates (n, C, H, W) of the largest margin, these margins (n,) (`logits.margin`), and the status (n,) of those
        that are not adversarial.
    """
    x = problem.x[index]
    labels, targets = problem.labels[index], None if problem.targets is None else problem.targets[index]
    # the loss of the label is ascended, that of the target descended
    classes, sign = (labels, 1.0) if targets is None else (targets, -1.0)
    ball = Ball(x, params.norm, params.epsilon * problem.extent, problem.bounds)
    adv = x.clone()
    if params.random_start:
        ball.move(adv, random_offsets("pgd", params.seed, x, ball, restart), 1.0)
    best, largest = x, torch.full_like(x.flatten(1)[:, 0], -torch.inf)
    norms = torch.ones_like(largest)
    finite = norms > 0
    for step in range(params.steps + 1):
        linearisation = problem.linearise(adv, index) if step < params.steps else None
        logits = problem.forward(adv, index) if linearisation is None else linearisation.logits
        margins = margin(logits, labels, targets)
        best = torch.where((margins > largest)[:, None, None, None], adv, best)
        largest = torch.maximum(largest, margins)
        if linearisation is None:
            break
        cotangent = loss_cotangent(logits, classes, params.loss, params.arithmetic).mul_(sign)
        gradient = linearisation.vjp(cotangent, last=True)
        norms = norms_of_each(gradient, params.norm)
        finite &= torch.isfinite(norms)
        # an image whose gradient vanished or is not finite stays where it is
        usable = (finite & (norms > 0)).to(x)
        if params.norm == "linf":
            gradient = gradient.nan_to_num_(0.0).sign_()
            ball.move(adv, gradient, params.step * ball.radius * usable)
        else:
            gradient.nan_to_num_(0.0, 0.0, 0.0)
            ball.move(adv, gradient, params.step * ball.radius * usable / torch.where(usable > 0, norms, 1.0))
    status = torch.where(norms > 0, int(Status.MAX_ITER), int(Status.ZERO_GRADIENT))
    return best, largest, torch.where(finite, status, int(Status.NONFINITE))


def loss_cotangent(
    logits: Tensor, classes: Tensor, loss: Literal["cross_entropy", "margin"], arithmetic: Arithmetic = "exact"
) -> Tensor:
    """(n, K) gradient, with respect to the logits (n, K), of the loss of `classes` (n,), up to a positive factor an image.

    >>> loss_cotangent(torch.tensor([[9.0, 0.0, 1.0]]), torch.tensor([0]), "margin").tolist()
    [[-1.0, 0.0, 1.0]]
    """
    if loss == "cross_entropy":
        return cross_entropy_direction(logits, classes, arithmetic)
    own = classes[:, None]
    others = logits.scatter(1, own, -torch.inf)
    return torch.zeros_like(logits).scatter_(1, others.argmax(1, keepdim=True), 1.0).scatter_(1, own, -1.0)
