"""DeepFool's images in whole grey levels: the smallest length of each perturbation at which the rounded image is adversarial."""

from __future__ import annotations

import torch

from advlab.attacks.gradient_search.params import GradientSearch
from advlab.attacks.gradient_search.rays import Rays
from advlab.attacks.gradient_search.smallest_weight import smallest_weights
from advlab.attacks.grey_levels import in_grey_levels
from advlab.attacks.logits import margin
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status

SEARCH = GradientSearch(discrete=True)


def along_perturbations(problem: Problem, result: AlgorithmResult) -> AlgorithmResult:
    """Successes as rounded images, the nearest adversarial ones that the search along the perturbation finds.

    Rounding changes a perturbation of a few grey levels by as much as the overshoot or more: half of the images would be
    lost by rounding alone. What is no success is rounded as it is (and counted by what it is then).

    Args:
        problem: classifies.
        result: of DeepFool.
    """
    successes = (result.status == Status.SUCCESS).nonzero()[:, 0]
    adv = in_grey_levels(result.adv, problem.bounds)
    status, steps = result.status.clone(), result.steps.clone()
    x = problem.x[successes]
    delta = result.adv[successes] - x
    peak = delta.flatten(1).abs().amax(1)
    moved = peak > 0
    successes, peak, delta = successes[moved], peak[moved], delta[moved]
    goals = None if problem.targets is None else problem.targets[successes]
    eta = delta / peak[:, None, None, None]
    rays = Rays(problem, eta, successes, goals, discrete=True)
    # at the perturbation's own length the margin is about 0
    at_image = margin(problem.logits[successes], problem.labels[successes], goals).double()
    slope = -at_image / (peak.double() / problem.extent)
    found = smallest_weights(rays, SEARCH, slope)
    adv[successes] = rays.at(torch.arange(len(rays), device=x.device), found.weight)
    status[successes], steps[successes] = found.status, steps[successes] + found.steps
    return AlgorithmResult(adv, status, steps, facts=result.facts)
