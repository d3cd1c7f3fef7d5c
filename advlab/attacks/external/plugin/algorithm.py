"""A user's own attack, a function registered by a plug-in: called batch by batch on a counted network."""

from __future__ import annotations

from typing import Any

import torch

from advlab.attacks.external.counted_module import CountedModule, images_inside, seeded_by_images
from advlab.attacks.external.plugin.params import PluginAttack
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status


def run(problem: Problem, params: PluginAttack) -> AlgorithmResult:
    """Call the function on batches of images in the units of `bounds`, and clip what it returns to them.

    Behind a defense that rejects it is called on one image at a time (see `CountedModule`).

    Global random numbers (torch, numpy, random) are a function of its option `seed`, if it has one, and of the batch.

    Raises:
        ArgumentError: it returns something else than images of the same shape.
    """
    model = CountedModule(problem, unit_interval=False)
    adv, status = problem.x.clone(), torch.full_like(problem.labels, int(Status.MAX_ITER))
    seed = params.options.get("seed", 0)
    for rows in model.batches():
        x = problem.x[rows].clone()
        arguments: dict[str, Any] = dict(params.options)
        if "bounds" in params.passes:
            arguments["bounds"] = problem.bounds
        if "targets" in params.passes:
            arguments["targets"] = None if problem.targets is None else problem.targets[rows].clone()
        with seeded_by_images(seed if isinstance(seed, int) else 0, x, problem.bounds), torch.enable_grad():
            returned = params.function(model, x, problem.labels[rows].clone(), **arguments)
        adv[rows], finite = images_inside(problem, rows, returned, f"the attack {params.label}")
        status[rows] = torch.where(finite, int(Status.MAX_ITER), int(Status.NONFINITE))
    return AlgorithmResult(adv, status, torch.zeros_like(status))
