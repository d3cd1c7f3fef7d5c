"""Universal adversarial perturbations: one perturbation that changes the prediction of most images."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from advlab.attacks.boundary.deepfool.algorithm import BatchedDeepFool
from advlab.attacks.boundary.deepfool.one_image import OneImageDeepFool
from advlab.attacks.boundary.deepfool.params import DeepFool
from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status
from advlab.attacks.universal.uap.params import UAP
from advlab.errors import ArgumentError

SHARE_OF_NORM = 0.04  # of the images' mean norm: the paper's radii on ImageNet, 2000 / 5e4 in l2 and 10 / 250 in linf


def run(problem: Problem, params: UAP) -> AlgorithmResult:
    """Aggregate DeepFool steps over the images (Moosavi-Dezfooli et al. 2017, algorithm 1).

    The mode exact goes through the images in a shuffled order: to v it adds the smallest step that fools the next image
    that v does not fool, and projects v onto the ball. Several images are classified at once to find that image; the
    result is the sequential algorithm's. The mode minibatch, which is not the paper's, adds the mean step of `images`
    images at a time.

    After each pass the fooling rate is measured, the share of images whose prediction changes; the v with the highest is
    kept. Within the algorithm x + v may leave the bounds, as in the authors' code; `adv` is clipped. `facts` holds
    `epsilon`, `fooling_rate` and `fooling_rate_clipped`, the same with `held_out_` before, `passes` and `updates`.

    Raises:
        ArgumentError: `held_out` has another shape than the images, or values outside the bounds.
    """
    held_out = problem.data.get("held_out")
    if held_out is not None:
        check_held_out(problem, held_out)
    v = problem.x.new_zeros(problem.x.shape[1:])
    if not len(problem):
        return AlgorithmResult(problem.x.clone(), problem.labels.clone(), problem.labels.clone(), universal=v, facts={})
    params = dataclasses.replace(params, epsilon=params.epsilon or usual_radius(problem, params.norm))
    generator = torch.Generator().manual_seed(params.seed)
    universal, highest_rate, passes, updates = v, 0.0, 0, 0
    deepfool = OneImageDeepFool(
        problem, max_iter=params.max_iter, overshoot=params.overshoot, candidates=params.candidates
    )
    while passes < params.passes and highest_rate < params.fooling:
        order = torch.randperm(len(problem), generator=generator).to(problem.x.device)
        if params.mode == "exact":
            v, updates_of_pass = exact_pass(problem, params, v, order, deepfool)
        else:
            v, updates_of_pass = minibatch_pass(problem, params, v, order)
        passes, updates = passes + 1, updates + updates_of_pass
        rate = fooling_rate(problem, problem.x, problem.labels, v)
        if rate > highest_rate or passes == 1:
            universal, highest_rate = v, rate
        if not updates_of_pass:
            break
    facts = {"epsilon": params.epsilon, "fooling_rate": highest_rate, "passes": passes, "updates": updates}
    facts["fooling_rate_clipped"] = fooling_rate(problem, problem.x, problem.labels, universal, clip=True)
    if held_out is not None:
        x = held_out.to(problem.x)
        labels = problem.forward(x).argmax(1)
        facts["held_out_fooling_rate"] = fooling_rate(problem, x, labels, universal)
        facts["held_out_fooling_rate_clipped"] = fooling_rate(problem, x, labels, universal, clip=True)
    adv = (problem.x + universal).clamp(*problem.bounds)
    # `interface.checked_result` sees which images are fooled, and calls these a SUCCESS
    status = torch.full_like(problem.labels, int(Status.MAX_ITER))
    return AlgorithmResult(adv, status, torch.full_like(status, passes), universal=universal, facts=facts)


def usual_radius(problem: Problem, norm: str) -> float:
    """4 % of the images' mean norm, measured from the lowest pixel value, in units of the bounds' length."""
    from_lowest = (problem.x - problem.bounds[0]) / problem.extent
    return SHARE_OF_NORM * float(norms_of_each(from_lowest, norm).double().mean())


def check_held_out(problem: Problem, held_out: Tensor) -> None:
    """Refuse images of another shape or in other units.

    Raises:
        ArgumentError: says how they differ.
    """
    shape = tuple(problem.x.shape[1:])
    if held_out.ndim != 4 or tuple(held_out.shape[1:]) != shape or not held_out.is_floating_point():
        raise ArgumentError(
            f"held_out must be floating-point images (M, {', '.join(map(str, shape))}), got {held_out.dtype} of "
            f"{tuple(held_out.shape)}"
        )
    low, high = problem.bounds
    slack = 1e-6 * problem.extent
    if not bool(((held_out >= low - slack) & (held_out <= high + slack)).all()):  # NaN included
        raise ArgumentError(
            f"held_out has values outside bounds={problem.bounds}, or that are NaN: bring it into their unit"
        )


def exact_pass(
    problem: Problem, params: UAP, v: Tensor, order: Tensor, deepfool: OneImageDeepFool
) -> tuple[Tensor, int]:
    """One pass over the images in `order` (n,); gives v (C, H, W) after it, and how often it was changed.

    The next image that v does not fool is sought by classifying several images at once. Their number doubles whenever all
    of them are fooled; otherwise it becomes the number that would have been enough to find this image.
    """
    images, start, lookahead, updates = order.tolist(), 0, 1, 0
    while start < len(images):
        index = order[start : start + min(lookahead, problem.batch_size)]
        points = problem.x[index] + v
        # one image alone will often need its gradients as well
        linearisation = problem.linearise(points, index) if len(index) == 1 else None
        logits = problem.forward(points, index) if linearisation is None else linearisation.logits
        unfooled = (logits.argmax(1) == problem.labels[index]).tolist()
        if not any(unfooled):
            start, lookahead = start + len(index), 2 * lookahead
            continue
        first = unfooled.index(True)
        perturbation, steps = deepfool(images[start + first], points[first : first + 1], linearisation)
        if 0 <= steps < params.accept:
            v, updates = project(v + perturbation[0], params, problem.extent), updates + 1
        start, lookahead = start + first + 1, first + 1
    return v, updates


def minibatch_pass(problem: Problem, params: UAP, v: Tensor, order: Tensor) -> tuple[Tensor, int]:
    """As `exact_pass`, but v changes by the mean step of those images of a mini-batch that it does not fool yet."""
    updates = 0
    for index in order.split(params.images):
        logits = problem.forward(problem.x[index] + v, index)
        unfooled = logits.argmax(1) == problem.labels[index]
        if bool(unfooled.any()):
            perturbations, accepted = minimal_perturbations(problem, params, v, index[unfooled], logits[unfooled])
            if bool(accepted.any()):
                v, updates = project(v + perturbations[accepted].mean(0), params, problem.extent), updates + 1
    return v, updates


def minimal_perturbations(
    problem: Problem, params: UAP, v: Tensor, index: Tensor, logits: Tensor
) -> tuple[Tensor, Tensor]:
    """(n, C, H, W) what DeepFool adds to x + v, and (n,) bool whether it succeeded in fewer than `accept` steps.

    Args:
        problem: the images x.
        params: the inner DeepFool's hyperparameters.
        v: (C, H, W) the perturbation so far.
        index: (n,) which images.
        logits: (n, K) at x + v.
    """
    moved = problem.x[index] + v
    problem_at_v = dataclasses.replace(
        problem, x=moved, labels=problem.labels[index], targets=None, logits=logits, data={}
    )
    inner = DeepFool(max_iter=params.max_iter, overshoot=params.overshoot, clip="none", candidates=params.candidates)
    result = BatchedDeepFool(problem_at_v, inner).run()
    return result.adv - moved, (result.status == Status.SUCCESS) & (result.steps < params.accept)


def project(v: Tensor, params: UAP, extent: float) -> Tensor:
    """(C, H, W) the point of the ball of radius epsilon, around 0, that is nearest to v in the L2 norm."""
    radius = params.epsilon * extent
    if params.norm == "linf":
        return v.clamp(-radius, radius)
    return v * (radius / norms_of_each(v[None], "l2")[0].clamp_min(torch.finfo(v.dtype).tiny)).clamp_max(1)


def fooling_rate(problem: Problem, x: Tensor, labels: Tensor, v: Tensor, *, clip: bool = False) -> float:
    """Share of images whose prediction changes by v.

    Args:
        problem: the network, and the bounds.
        x: (n, C, H, W) images.
        labels: (n,) their predictions without v; what is rejected with v has not changed.
        v: (C, H, W).
        clip: classify x + v clipped to the bounds.
    """
    changed, at_x = 0, dataclasses.replace(problem, x=x, labels=labels)
    for start in range(0, len(x), problem.batch_size):
        rows = slice(start, start + problem.batch_size)
        moved = x[rows] + v
        logits = at_x.forward(moved.clamp(*problem.bounds) if clip else moved, rows)
        changed += int((logits.argmax(1) != labels[rows]).sum())
    return changed / max(1, len(x))
