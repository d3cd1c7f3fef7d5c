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
    """Try one random direction after the other until one flips the class; status MAX_ITER where none of the trials does."""
    low, high = problem.bounds
    adv, status = problem.x.clone(), torch.full_like(problem.labels, int(Status.MAX_ITER))
    steps = torch.zeros_like(problem.labels)
    keys = image_keys("noise", params.seed, problem.x, problem.bounds)
    length = params.epsilon * problem.extent
    unsuccessful = torch.arange(len(problem), device=problem.x.device)
    for trial in range(params.trials):
        # the images of the last trial are not classified here: `interface.checked_result` classifies all results
        last_trial = trial + 1 == params.trials
        still_unsuccessful = []
        for index in unsuccessful.split(problem.batch_size) if len(unsuccessful) else ():
            directions = torch.stack(
                [random_direction(keys[i], trial, params.norm, adv[i].shape) for i in index.tolist()]
            )
            adv[index] = (problem.x[index] + (directions * length).to(adv)).clamp_(low, high)
            steps[index] += 1
            if last_trial:
                continue
            logits = problem.forward(adv[index], index)
            flips, finite = problem.flipped(logits, index), torch.isfinite(logits).all(1)
            status[index[flips]] = int(Status.SUCCESS)
            status[index[~finite]] = int(Status.NONFINITE)
            still_unsuccessful.append(index[finite & ~flips])
        unsuccessful = torch.cat(still_unsuccessful) if still_unsuccessful else unsuccessful[:0]
    return AlgorithmResult(adv=adv, status=status, steps=steps)


def random_direction(key: bytes, trial: int, norm: str, shape: tuple[int, ...]) -> Tensor:
    """(C, H, W) float64 of length 1: a Gaussian vector over its L2 norm, or random signs for linf.

    Args:
        key: of the image (`image_keys`).
        trial: number of the direction, from 0.
        norm: l2 or linf.
        shape: (C, H, W).

    >>> random_direction(b"key of an image", 0, "linf", (1, 1, 4)).flatten().tolist()
    [-1.0, -1.0, -1.0, 1.0]
    >>> round(float(random_direction(b"key of an image", 0, "l2", (3, 4, 4)).norm()), 12)
    1.0
    """
    rng, size = generator(key, trial), math.prod(shape)
    if norm == "linf":
        values = 2.0 * rng.integers(0, 2, size) - 1
    else:
        values = rng.standard_normal(size)
        values /= np.linalg.norm(values)
    return torch.from_numpy(values).view(shape)
