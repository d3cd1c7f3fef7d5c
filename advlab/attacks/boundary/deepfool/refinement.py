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

FIRST_PULL = 0.5  # share of the way to its original by which an adversarial image is drawn back at the first step
DECAY = 0.85  # of that share from step to step
BEYOND = 1.05  # steps to the linearised boundary go 5 % beyond it
LARGEST_BIAS = 0.1  # largest weight of the step from the original (Croce and Hein 2020, alpha_max)
UNBOUNDED = 1e6  # with clip=none the box reaches so many lengths of the bounds in either direction: it never matters


def refine(problem: Problem, params: DeepFool, result: AlgorithmResult) -> AlgorithmResult:
    """Shorten the perturbations that DeepFool gave; none becomes longer.

    Each of the `refinements` steps linearises the boundary at the image z, draws z towards the original x if it is
    adversarial, and goes to a mixture of the boundary's points nearest to z and to x in the box, as FAB does (Croce and
    Hein 2020, eq 9). Here the pull towards x shrinks from step to step, so that few steps are needed. The shortest
    adversarial z is kept. One forward and one backward a step.
    """
    adv, steps = result.adv.clone(), result.steps.clone()
    successes = (result.status == Status.SUCCESS).nonzero()[:, 0]
    for index in successes.split(problem.batch_size) if len(successes) else ():
        adv[index] = shortened(problem, params, index, adv[index])
        steps[index] += params.refinements
    return AlgorithmResult(adv, result.status, steps, facts=result.facts)


def shortened(problem: Problem, params: DeepFool, index: Tensor, start: Tensor) -> Tensor:
    """The shortest adversarial images (n, C, H, W) that are met from `start` on.

    Args:
        problem: gives logits and gradients.
        params: how many steps, and whether images are clipped.
        index: (n,) which images of the problem.
        start: (n, C, H, W) adversarial images of these.
    """
    x, z, shortest = problem.x[index], start, start.clone()
    shortest_norm = norms_of_each(start - x, "l2")
    far = UNBOUNDED * problem.extent
    box = (-far, far) if params.clip == "none" else problem.bounds
    labels, targets = problem.labels[index], None if problem.targets is None else problem.targets[index]
    for step in range(params.refinements + 1):
        linearisation = problem.linearise(z, index)
        logits = linearisation.logits
        height = margin(logits, labels, targets)
        adversarial = height > rounding_margin(logits)
        norm = norms_of_each(z - x, "l2")
        shorter = adversarial & (norm < shortest_norm)
        shortest[shorter], shortest_norm[shorter] = z[shorter], norm[shorter]
        if step == params.refinements:
            break
        w = linearisation.vjp(margin_cotangent(logits, labels, targets), last=True)
        pulled = torch.where(column(adversarial), z - FIRST_PULL * DECAY**step * (z - x), z)
        z = biased_step(x, pulled, w, height.clamp_min(torch.finfo(x.dtype).min) + inner(w, pulled - z), box)
    return shortest


def biased_step(x: Tensor, z: Tensor, w: Tensor, height: Tensor, box: tuple[float, float]) -> Tensor:
    """(n, C, H, W) a mixture of the boundary's points nearest to `z` and to `x` (Croce and Hein 2020, eq 9).

    Args:
        x: (n, C, H, W) the originals.
        z: (n, C, H, W) where the boundary is approached from.
        w: (n, C, H, W) gradient of the margin.
        height: (n,) linearised margin at `z`; above 0 behind the boundary.
        box: lowest and highest pixel value.
    """
    gap_of_x = (inner(w, z - x) - height).clamp_min(0)  # rise of the margin from x to the boundary
    step_of_z, _ = box_step(torch.where(column(height < 0), w, -w), height.abs(), z, box)
    step_of_x, _ = box_step(w, gap_of_x, x, box)
    length_of_z, length_of_x = norms_of_each(step_of_z, "l2"), norms_of_each(step_of_x, "l2")
    bias = length_of_z / (length_of_z + length_of_x).clamp_min(torch.finfo(x.dtype).tiny)
    bias = column(bias.clamp_max(LARGEST_BIAS))
    return ((1 - bias) * (z + BEYOND * step_of_z) + bias * (x + BEYOND * step_of_x)).clamp(*box)


def margin_cotangent(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """(n, K) gradient of `margin` with respect to the logits (n, K)."""
    own = (labels if targets is None else targets)[:, None]
    largest_other = logits.scatter(1, own, -torch.inf).argmax(1, keepdim=True)
    sign = -1.0 if targets is None else 1.0
    return torch.zeros_like(logits).scatter_(1, own, sign).scatter_(1, largest_other, -sign)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """(n,) inner products of (n, ...) tensors."""
    return (a * b).flatten(1).sum(1)


def column(values: Tensor) -> Tensor:
    """(n,) as (n, 1, 1, 1)."""
    return values.view(-1, 1, 1, 1)
