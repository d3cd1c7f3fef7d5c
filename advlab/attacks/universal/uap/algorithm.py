"""Universal adversarial perturbations: one perturbation that changes the prediction of most images."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from advlab.attacks.boundary.deepfool.algorithm import BatchedDeepFool
from advlab.attacks.boundary.deepfool.params import DeepFool
from advlab.attacks.boundary.one_image import OneImageDeepFool
from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status
from advlab.attacks.universal.uap.params import UAP


def run(problem: Problem, params: UAP) -> AlgorithmResult:
    """Aggregate DeepFool steps over the images (Moosavi-Dezfooli et al. 2017, algorithm 1).

    exact: the next image, in a shuffled order, that v does not fool is found by looking at several at once; the minimal
    step that fools it is added to v, and v is projected onto the ball. The outcome is the sequential algorithm's.
    minibatch (not the paper's): the mean of the steps of `images` images at a time.

    After each pass the fooling rate, the share of images whose prediction changes, is measured; the best v is kept.
    Within the algorithm x + v may leave the bounds, as in the authors' code; `adv` is clipped. `facts` holds
    `fooling_rate` and `fooling_rate_clipped`, the same with `held_out_` before, `passes` and `updates`.

    Raises:
        ValueError: `held_out` has another shape than the images, or values outside the bounds.
    """
    held_out = problem.data.get("held_out")
    if held_out is not None:
        check_held_out(problem, held_out)
    v = problem.x.new_zeros(problem.x.shape[1:])
    if not len(problem):
        return AlgorithmResult(problem.x.clone(), problem.labels.clone(), problem.labels.clone(), universal=v, facts={})
    generator = torch.Generator().manual_seed(params.seed)
    best, best_rate, passes, updates = v, 0.0, 0, 0
    single = OneImageDeepFool(
        problem, max_iter=params.max_iter, overshoot=params.overshoot, candidates=params.candidates
    )
    while passes < params.passes and best_rate < params.fooling:
        order = torch.randperm(len(problem), generator=generator).to(problem.x.device)
        if params.mode == "exact":
            v, count = exact_pass(problem, params, v, order, single)
        else:
            v, count = minibatch_pass(problem, params, v, order)
        passes, updates = passes + 1, updates + count
        rate = fooling_rate(problem, problem.x, problem.labels, v)
        if rate > best_rate or passes == 1:
            best, best_rate = v, rate
        if not count:
            break
    facts = {"fooling_rate": best_rate, "passes": passes, "updates": updates}
    facts["fooling_rate_clipped"] = fooling_rate(problem, problem.x, problem.labels, best, clip=True)
    if held_out is not None:
        x = held_out.to(problem.x)
        labels = problem.forward(x).argmax(1)
        facts["held_out_fooling_rate"] = fooling_rate(problem, x, labels, best)
        facts["held_out_fooling_rate_clipped"] = fooling_rate(problem, x, labels, best, clip=True)
    adv = (problem.x + best).clamp(*problem.bounds)
    status = torch.full_like(problem.labels, int(Status.MAX_ITER))  # success is what the check of `adv` finds
    return AlgorithmResult(adv, status, torch.full_like(status, passes), universal=best, facts=facts)


def check_held_out(problem: Problem, held_out: Tensor) -> None:
    """Refuse images of another shape or in other units.

    Raises:
        ValueError: says how they differ.
    """
    shape = tuple(problem.x.shape[1:])
    if held_out.ndim != 4 or tuple(held_out.shape[1:]) != shape or not held_out.is_floating_point():
        raise ValueError(
            f"held_out must be floating-point images (M, {', '.join(map(str, shape))}), got {held_out.dtype} of "
            f"{tuple(held_out.shape)}"
        )
    low, high = problem.bounds
    slack = 1e-6 * problem.extent
    if not bool(((held_out >= low - slack) & (held_out <= high + slack)).all()):  # NaN included
        raise ValueError(
            f"held_out has values outside bounds={problem.bounds}, or that are NaN: bring it into their unit"
        )


def exact_pass(problem: Problem, params: UAP, v: Tensor, order: Tensor, single: OneImageDeepFool) -> tuple[Tensor, int]:
    """One pass over the images in `order`; v (C, H, W) after it, and how often it was changed."""
    images, start, look, updates = order.tolist(), 0, 1, 0
    while start < len(images):
        index = order[start : start + min(look, problem.batch_size)]
        points = problem.x[index] + v
        at = problem.linearise(points) if len(index) == 1 else None  # one alone will often need its gradients as well
        logits = problem.forward(points) if at is None else at.logits
        unfooled = (logits.argmax(1) == problem.labels[index]).tolist()
        if not any(unfooled):
            start, look = start + len(index), 2 * look
            continue
        first = unfooled.index(True)
        step, count = single(images[start + first], points[first : first + 1], at)
        if 0 <= count < params.accept:
            v, updates = project(v + step[0], params, problem.extent), updates + 1
        start, look = start + first + 1, first + 1
    return v, updates


def minibatch_pass(problem: Problem, params: UAP, v: Tensor, order: Tensor) -> tuple[Tensor, int]:
    """As `exact_pass`, with the mean step of each mini-batch's images that are not yet fooled."""
    updates = 0
    for index in order.split(params.images):
        logits = problem.forward(problem.x[index] + v)
        unfooled = logits.argmax(1) == problem.labels[index]
        if bool(unfooled.any()):
            steps, good = minimal_steps(problem, params, v, index[unfooled], logits[unfooled])
            if bool(good.any()):
                v, updates = project(v + steps[good].mean(0), params, problem.extent), updates + 1
    return v, updates


def minimal_steps(problem: Problem, params: UAP, v: Tensor, index: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """(n, C, H, W) what DeepFool adds to x + v, and (n,) bool whether it took fewer than `accept` steps.

    `logits` (n, K) are those at x + v.
    """
    x = problem.x[index] + v
    inner = dataclasses.replace(problem, x=x, labels=problem.labels[index], targets=None, logits=logits, data={})
    steps = DeepFool(max_iter=params.max_iter, overshoot=params.overshoot, clip="none", candidates=params.candidates)
    outcome = BatchedDeepFool(inner, steps).run()
    return outcome.adv - x, (outcome.status == Status.SUCCESS) & (outcome.steps < params.accept)


def project(v: Tensor, params: UAP, extent: float) -> Tensor:
    """v (C, H, W) in the ball of radius epsilon: its nearest point there in both norms."""
    radius = params.epsilon * extent
    if params.norm == "linf":
        return v.clamp(-radius, radius)
    return v * (radius / norms_of_each(v[None], "l2")[0].clamp_min(torch.finfo(v.dtype).tiny)).clamp_max(1)


def fooling_rate(problem: Problem, x: Tensor, labels: Tensor, v: Tensor, *, clip: bool = False) -> float:
    """Share of images (n, C, H, W) whose prediction under v is not `labels`, their prediction without it."""
    changed = 0
    for part, own in zip(x.split(problem.batch_size), labels.split(problem.batch_size), strict=True):
        moved = part + v
        changed += int((problem.forward(moved.clamp(*problem.bounds) if clip else moved).argmax(1) != own).sum())
    return changed / max(1, len(x))
