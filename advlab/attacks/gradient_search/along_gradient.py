"""Attacks along signs or values of a gradient: the directions of each image, and the one whose weight is smallest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from advlab.attacks.gradient_search.params import GradientSearch
from advlab.attacks.gradient_search.rays import Rays
from advlab.attacks.gradient_search.smallest_weight import SearchResult, smallest_weights
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status

ROWS = 1024  # directions in memory at a time; no result depends on it

# Gives, for a slice of n images, m directions of each: (n, m, K) cotangents omega and (n, m, C, H, W) gradients J' omega.
GradientDirections = Callable[[slice], tuple[Tensor, Tensor]]


def first_gradient(problem: Problem, params: GradientSearch) -> GradientDirections:
    """One direction for each image: the gradient that was computed when the images were checked (`Problem.first_gradients`)."""
    omega = params.first_cotangent(problem.logits, problem.labels, problem.targets)
    gradients = problem.x if problem.first_gradients is None else problem.first_gradients  # None: there are no images
    return lambda rows: (omega[rows, None], gradients[rows, None])


def attack_along(
    problem: Problem,
    params: GradientSearch,
    directions: GradientDirections,
    *,
    signs: bool = False,
    per_image: int = 1,
    goals: Tensor | None = None,
) -> AlgorithmResult:
    """Go along the directions of each image, and keep the one with the smallest weight.

    Args:
        problem: the images.
        params: hyperparameters.
        directions: gives cotangents and gradients.
        signs: eta is the signs of the gradient; otherwise the gradient over its largest absolute value.
        per_image: m, the number of directions of each image.
        goals: (N, m) classes that count as success instead of any but the label; None: those
            that the attack names by its `goal`.
    """
    wanted = params.goal(problem.targets)
    if goals is None and wanted is not None:
        goals = wanted[:, None]
    size = max(1, ROWS // max(per_image, 1))
    parts = []
    for start in range(0, len(problem), size):
        rows = slice(start, min(start + size, len(problem)))
        cotangents, gradients = directions(rows)
        chosen = None if goals is None else goals[rows]
        parts.append(nearest_flips(problem, params, rows, cotangents, gradients, signs, chosen))
    if not parts:
        empty = problem.labels[:0]
        return AlgorithmResult(adv=problem.x, status=empty, steps=empty, epsilon=problem.x.new_empty(0))
    adv, epsilon, status, steps = (torch.cat(values) for values in zip(*parts, strict=True))
    return AlgorithmResult(adv=adv, status=status, steps=steps, epsilon=epsilon)


def nearest_flips(
    problem: Problem,
    params: GradientSearch,
    rows: slice,
    cotangents: Tensor,
    gradients: Tensor,
    signs: bool,
    goals: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images, weights, status and forwards of the n images `rows`, over m directions each."""
    n, m = cotangents.shape[:2]
    x = problem.x[rows]
    peak = gradients.flatten(2).abs().amax(2).flatten()
    status = torch.where(torch.isfinite(peak), int(Status.ZERO_GRADIENT), int(Status.NONFINITE))
    usable = (torch.isfinite(peak) & (peak > 0)).nonzero()[:, 0]
    gradient = gradients.flatten(0, 1)[usable]
    eta = gradient.sign() if signs else gradient / peak[usable, None, None, None]
    image = usable // m + rows.start
    rays = Rays(
        problem, eta, image, None if goals is None else goals.flatten()[usable], params.discrete, not params.epsilon
    )
    if params.epsilon:
        result = fixed_weight(rays, params.epsilon, classify=m > 1)
    else:
        result = smallest_weights(rays, params, margin_slopes(rays, gradient, cotangents.flatten(0, 1)[usable]))
    weight = torch.zeros(n * m, dtype=torch.float64, device=x.device)
    steps = torch.zeros_like(status)
    weight[usable], status[usable], steps[usable] = result.weight, result.status, result.steps
    chosen = first_of_each(weight.view(n, m), status.view(n, m), params.largest)
    ray = torch.full((n * m,), -1, device=x.device)  # -1: the direction is no ray, its gradient is zero or not finite
    ray[usable] = torch.arange(len(usable), device=x.device)
    ray, weight, status, steps = ray[chosen], weight[chosen], status[chosen], steps.view(n, m).sum(1)
    weight = torch.where(status == Status.NO_FLIP_AT_SATURATION, params.epsilon or params.largest, weight)
    moved = (ray >= 0).nonzero()[:, 0]
    # a failure is returned unmoved: it may have reached another class than its goal, which would count as a success
    if goals is not None and problem.targets is None:
        moved = moved[status[moved] == Status.SUCCESS]
    adv = x.clone()
    adv[moved] = rays.at(ray[moved], weight[moved])
    known = (status == Status.SUCCESS) | ((params.epsilon > 0) & (ray >= 0))
    return adv, torch.where(known, weight, torch.nan), status, steps


def first_of_each(weight: Tensor, status: Tensor, largest: float) -> Tensor:
    """(n,) indices into the n * m directions: for each image the direction with the smallest flipping weight.

    Without one it is a direction whose status explains it: NONFINITE, then NO_FLIP_AT_SATURATION, then ZERO_GRADIENT.
    """
    order = torch.full_like(weight, 3.0)
    for value, reason in enumerate((Status.SUCCESS, Status.NONFINITE, Status.NO_FLIP_AT_SATURATION)):
        order[status == reason] = value
    rank = order * (2 * largest + 1) + torch.where(order == 0, weight, 0.0)
    n, m = weight.shape
    return rank.argmin(1) + m * torch.arange(n, device=weight.device)


def fixed_weight(rays: Rays, epsilon: float, *, classify: bool) -> SearchResult:
    """The weight `epsilon` for all rays; images are classified only where one of several directions is to be chosen."""
    rows = torch.arange(len(rays), device=rays.eta.device)
    weight = torch.full((len(rays),), epsilon, dtype=torch.float64, device=rays.eta.device)
    status = torch.full_like(rows, int(Status.NO_FLIP_AT_SATURATION))
    if classify:
        status[rays.margins(rows, weight)[1]] = int(Status.SUCCESS)
    return SearchResult(weight, status, torch.full_like(rows, int(classify)))


def margin_slopes(rays: Rays, gradient: Tensor, cotangent: Tensor) -> Tensor:
    """(R,) float64 estimated slope of the margin at w = 0, per unit of weight.

    It is the loss's directional derivative over the pixels that clipping lets move, divided by the largest |omega|, as if
    one logit alone caused it.

    Args:
        rays: R of them.
        gradient: (R, C, H, W) J' omega.
        cotangent: (R, K) omega.
    """
    (low, high), x = rays.problem.bounds, rays.problem.x[rays.image]
    free = torch.where(rays.eta > 0, x < high, x > low)  # pixels that clipping lets move at all
    rise = (gradient * rays.eta * free).flatten(1).sum(1).double() * rays.problem.extent
    return torch.nan_to_num(rise / cotangent.abs().amax(1), nan=0.0)
