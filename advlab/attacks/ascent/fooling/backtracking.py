"""Back from a step that leapt beyond a level of the target's probability, to a point of the step just above the level."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.attacks.problem import Problem
from advlab.attacks.rejection import rejected

HALVINGS = 50  # of a step, at most: then its two ends are equal in float32 and nearly so in float64


def shortened_step(
    problem: Problem, below: Tensor, above: Tensor, image: Tensor, targets: Tensor, threshold: Tensor, ceiling: float
) -> Tensor:
    """Points of the steps from `below` to `above` at which the probability lies in [threshold, ceiling].

    The step is halved, and the half kept at whose ends the probability lies on either side of the threshold. Where the
    probability jumps, as a rejection makes it, the point is the lowest found above the threshold.

    Args:
        problem: classifies; one forward of the rows that are still beyond a halving.
        below: (n, C, H, W) points with a probability below the threshold.
        above: (n, C, H, W) points with a probability above the ceiling.
        image: (n,) which images of the problem they were made from.
        targets: (n,) classes.
        threshold: () float64.
        ceiling: largest probability that will do.

    Returns:
        (n, C, H, W).
    """
    low, high = torch.zeros(len(below)).to(threshold), torch.ones(len(below)).to(threshold)
    points = above.clone()
    beyond = torch.arange(len(below), device=below.device)
    for _ in range(HALVINGS):
        if not len(beyond):
            break
        middle = (low[beyond] + high[beyond]) / 2
        share = middle.to(below)[:, None, None, None]
        candidates = torch.lerp(below[beyond], above[beyond], share).clamp_(*problem.bounds)
        p = probability(problem, problem.forward(candidates, image[beyond]), targets[beyond])
        reached = p >= threshold
        low[beyond] = torch.where(reached, low[beyond], middle)
        high[beyond] = torch.where(reached, middle, high[beyond])
        points[beyond[reached]] = candidates[reached]
        beyond = beyond[~reached | (p > ceiling)]
    return points


def probability(problem: Problem, logits: Tensor, targets: Tensor) -> Tensor:
    """(n,) float64 probabilities of the targets (n,); 0 where the network rejects."""
    p = log_probability(logits, targets).exp()
    return p.where(~rejected(logits), 0.0) if problem.network.rejects else p


def log_probability(logits: Tensor, targets: Tensor) -> Tensor:
    """(n,) float64 logarithms of the targets' (n,) probabilities."""
    return torch.log_softmax(logits.double(), 1).gather(1, targets[:, None])[:, 0]
