"""From an adversarial image along the class boundary towards the boundary's point nearest to the original, in the box."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.attacks.boundary.box_step import box_step
from advlab.attacks.boundary.deepfool.params import DeepFool
from advlab.attacks.logits import margin, rounding_margin
from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status

FIRST_PULL = 0.2  # how far an adversarial image is drawn back towards its original at the first step,
DECAY = 0.85  # and the share of that at each later one
BEYOND = 1.05  # steps to the linearised boundary go beyond it by 5 %
MOST_BIAS = 0.1  # largest weight of the original's own step (Croce and Hein 2020)


def refine(problem: Problem, params: DeepFool, outcome: AlgorithmResult) -> AlgorithmResult:
    """Shorten the perturbations that DeepFool found; none becomes longer.

    Each of the `refinements` steps linearises the boundary at the image z, draws z towards the original x if it is
    adversarial, and goes to a mixture of the boundary's points nearest to z and to x in the box, as FAB does (Croce and
    Hein 2020, eq 9); here the pull towards x shrinks from step to step, so that few are needed. The shortest adversarial z is kept.
    One forward and one backward a step.
    """
    adv, steps = outcome.adv.clone(), outcome.steps.clone()
    successes = (outcome.status == Status.SUCCESS).nonzero()[:, 0]
    for index in successes.split(problem.batch_size):
        adv[index] = shortened(problem, params, index, adv[index])
        steps[index] += params.refinements
    return AlgorithmResult(adv, outcome.status, steps, facts=outcome.facts)


def shortened(problem: Problem, params: DeepFool, index: Tensor, start: Tensor) -> Tensor:
    """The shortest adversarial images (n, C, H, W) that are met from `start` on, of the images `index`."""
    x, z, best = problem.x[index], start, start.clone()
    shortest = norms_of_each(start - x, "l2")
    # with clip=none images may leave the bounds: then the box is so large that it never matters
    far = 1e6 * problem.extent
    box = (-far, far) if params.clip == "none" else problem.bounds
    targets = None if problem.targets is None else problem.targets[index]
    for step in range(params.refinements + 1):
        at = problem.linearise(z)
        height = margin(at.logits, problem.labels[index], targets)
        adversarial = height > rounding_margin(at.logits)
        norm = norms_of_each(z - x, "l2")
        better = adversarial & (norm < shortest)
        best[better], shortest[better] = z[better], norm[better]
        if step == params.refinements:
            break
        w = at.vjp(towards(at.logits, problem.labels[index], targets), last=True)
        pulled = torch.where(column(adversarial), z - FIRST_PULL * DECAY**step * (z - x), z)
        height = height.clamp_min(torch.finfo(x.dtype).min) + inner(w, pulled - z)
        missing = (inner(w, pulled - x) - height).clamp_min(0)  # from x to the boundary, along w
        own, _ = box_step(torch.where(column(height < 0), w, -w), height.abs(), pulled, box)
        original, _ = box_step(w, missing, x, box)
        near, far_off = norms_of_each(own, "l2"), norms_of_each(original, "l2")
        bias = column((near / (near + far_off).clamp_min(torch.finfo(x.dtype).tiny)).clamp_max(MOST_BIAS))
        z = ((1 - bias) * (pulled + BEYOND * own) + bias * (x + BEYOND * original)).clamp(*box)
    return best


def towards(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """(n, K) gradient of the margin with respect to the logits."""
    wanted = (labels if targets is None else targets)[:, None]
    other = logits.scatter(1, wanted, -torch.inf).argmax(1, keepdim=True)
    sign = -1.0 if targets is None else 1.0
    return torch.zeros_like(logits).scatter_(1, wanted, sign).scatter_(1, other, -sign)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """(n,) inner products of (n, ...) tensors."""
    return (a * b).flatten(1).sum(1)


def column(values: Tensor) -> Tensor:
    """(n,) as (n, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)
