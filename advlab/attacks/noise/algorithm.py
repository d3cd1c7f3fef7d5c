"""Random directions of given length: the control of every attack."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from advlab.attacks.noise.params import Noise
from advlab.attacks.problem import Problem
from advlab.attacks.random_numbers import generator, image_keys
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status


def run(problem: Problem, params: Noise) -> AlgorithmResult:
    """Add one random direction after the other until one flips; status MAX_ITER where none of the trials does."""
    low, high = problem.bounds
    adv, status = problem.x.clone(), torch.full_like(problem.labels, int(Status.MAX_ITER))
    steps = torch.zeros_like(problem.labels)
    keys = image_keys("noise", params.seed, problem.x, problem.bounds)
    rows = torch.arange(len(problem), device=problem.x.device)
    for trial in range(params.trials):
        last = trial + 1 == params.trials  # classified by `attack`, like every returned image
        going = []
        for part in rows.split(problem.batch_size) if len(rows) else ():
            drawn = torch.stack([random_direction(keys[i], trial, params.norm, adv[i].shape) for i in part.tolist()])
            length = params.epsilon * problem.extent
            adv[part] = (problem.x[part] + (drawn * length).to(adv)).clamp_(low, high)
            steps[part] += 1
            if last:
                continue
            logits = problem.forward(adv[part])
            flips, finite = problem.flipped(logits, part), torch.isfinite(logits).all(1)
            status[part[flips]] = int(Status.SUCCESS)
            status[part[~finite]] = int(Status.NONFINITE)
            going.append(part[finite & ~flips])
        rows = torch.cat(going) if going else rows[:0]
    return AlgorithmResult(adv=adv, status=status, steps=steps)


def random_direction(key: bytes, trial: int, norm: str, shape: tuple[int, ...]) -> Tensor:
    """(C, H, W) float64 of length 1: a Gaussian vector over its L2 norm, or random signs for linf.

    Args:
        key: of the image (`image_keys`).
        trial: number of the direction.
        norm: l2 or linf.
        shape: (C, H, W).
    """
    rng, size = generator(key, trial), math.prod(shape)
    if norm == "linf":
        values = 2.0 * rng.integers(0, 2, size) - 1
    else:
        values = rng.standard_normal(size)
        values /= np.linalg.norm(values)
    return torch.from_numpy(values).view(shape)
