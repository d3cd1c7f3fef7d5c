"""Attacks along one direction, signs or values of a gradient: the directions, and how far `search` goes along them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from advlab.attacks.gradient_search.params import Search
from advlab.attacks.gradient_search.rays import Rays
from advlab.attacks.gradient_search.smallest_weight import Found, search
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status

ROWS = 1024  # directions in memory at a time; nothing depends on it
FILL = 4  # where the images would fill a batch so many times over, each takes several of its places

Aim = Callable[
    [slice], tuple[Tensor, Tensor]
]  # images to (n, m, K) cotangents and (n, m, C, H, W) gradients, m of each


def given(problem: Problem, cotangent: Callable[[Tensor, Tensor, Tensor | None], Tensor]) -> Aim:
    """One direction an image: J' cotangent, which the first look at the images has given already (`Problem.first_gradients`)."""
    omega = cotangent(problem.logits, problem.labels, problem.targets)
    slopes = problem.x if problem.first_gradients is None else problem.first_gradients  # none: there are no images
    return lambda rows: (omega[rows, None], slopes[rows, None])


def products(problem: Problem, x: Tensor, cotangents: Tensor) -> Tensor:
    """(n, m, C, H, W) products J' omega from one forward: m cotangents (n, m, K) at each of a batch of images."""
    n, m = cotangents.shape[:2]
    copies = min(m, problem.batch_size // n if FILL * n <= problem.batch_size else 1)  # few images: several at once
    at = problem.linearise(x.repeat_interleave(copies, 0))
    parts: list[Tensor] = []
    for part in cotangents.split(copies, dim=1):
        missing = part.new_zeros(n, copies - part.shape[1], problem.classes)
        last = len(parts) == (m - 1) // copies
        gradient = at.vjp(torch.cat([part, missing], 1).flatten(0, 1), last=last)
        parts.append(gradient.view(n, copies, *x.shape[1:])[:, : part.shape[1]])
    return torch.cat(parts, 1)


def along(
    problem: Problem, params: Search, aim: Aim, *, signs: bool = False, each: int = 1, goals: Tensor | None = None
) -> AlgorithmResult:
    """Go along the directions of each image, and keep that with the smallest weight.

    Args:
        problem: the images.
        params: hyperparameters.
        aim: gives cotangents and gradients.
        signs: take the signs of the gradients; otherwise these, divided by the largest absolute value.
        each: directions an image, m.
        goals: (N, m) classes that count as success instead of any but the label; None: those
            that the attack names by its `goal`.
    """
    wanted = params.goal(problem.targets)
    if goals is None and wanted is not None:
        goals = wanted[:, None]
    size = max(1, ROWS // max(each, 1))
    parts = []
    for start in range(0, len(problem), size):
        rows = slice(start, min(start + size, len(problem)))
        cotangents, gradients = aim(rows)
        parts.append(best(problem, params, rows, cotangents, gradients, signs, None if goals is None else goals[rows]))
    if not parts:
        nothing = problem.labels[:0]
        return AlgorithmResult(adv=problem.x, status=nothing, steps=nothing, epsilon=problem.x.new_empty(0))
    adv, w, status, steps = (torch.cat(values) for values in zip(*parts, strict=True))
    return AlgorithmResult(adv=adv, status=status, steps=steps, epsilon=w)


def best(
    problem: Problem,
    params: Search,
    rows: slice,
    cotangents: Tensor,
    gradients: Tensor,
    signs: bool,
    goals: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images, weights, status and forwards of the images `rows`, over m directions each."""
    n, m = cotangents.shape[:2]
    x = problem.x[rows]
    peak = gradients.flatten(2).abs().amax(2).flatten()
    status = torch.where(torch.isfinite(peak), int(Status.ZERO_GRADIENT), int(Status.NONFINITE))
    good = (torch.isfinite(peak) & (peak > 0)).nonzero()[:, 0]
    gradient = gradients.flatten(0, 1)[good]
    eta = gradient.sign() if signs else gradient / peak[good, None, None, None]
    image = good // m + rows.start
    rays = Rays(problem, eta, image, None if goals is None else goals.flatten()[good], params.discrete)
    found = go(rays, params, m, guess(rays, gradient, cotangents.flatten(0, 1)[good]))
    w = torch.zeros(n * m, dtype=torch.float64, device=x.device)
    steps = torch.zeros_like(status)
    w[good], status[good], steps[good] = found.w, found.status, found.steps
    # the first flip, or the reason why there is none: in this order
    order = torch.full_like(w, 3.0)
    for value, reason in enumerate((Status.SUCCESS, Status.NONFINITE, Status.NO_FLIP_AT_SATURATION)):
        order[status == reason] = value
    rank = order * (2 * params.largest + 1) + torch.where(order == 0, w, 0.0)
    chosen = rank.view(n, m).argmin(1) + m * torch.arange(n, device=x.device)
    w, status, steps = w[chosen], status[chosen], steps.view(n, m).sum(1)
    place = torch.full((n * m,), -1, device=x.device).scatter_(0, good, torch.arange(len(good), device=x.device))[
        chosen
    ]
    weight = torch.where(status == Status.NO_FLIP_AT_SATURATION, params.epsilon or params.largest, w)
    moved = (place >= 0).nonzero()[:, 0]
    if goals is not None and problem.targets is None:  # else a failure would pass for a success: another class than hot
        moved = moved[status[moved] == Status.SUCCESS]
    adv = x.clone()
    adv[moved] = rays.at(place[moved], weight[moved])
    known = (status == Status.SUCCESS) | ((params.epsilon > 0) & (place >= 0))
    return adv, torch.where(known, weight, torch.nan), status, steps


def go(rays: Rays, params: Search, each: int, guesses: Tensor) -> Found:
    """How far: the first flip, or the fixed weight, which is only looked at where one direction of several is chosen."""
    if not params.epsilon:
        return search(rays, params, guesses)
    w, rows = torch.full_like(guesses, params.epsilon), torch.arange(len(rays), device=guesses.device)
    status = torch.full_like(rows, int(Status.NO_FLIP_AT_SATURATION))
    if each > 1:
        leads, threshold = rays.leads(rays.logits(rows, w), rows)
        status[rays.best(leads) > threshold] = int(Status.SUCCESS)
    return Found(w, status, torch.full_like(rows, int(each > 1)))


def guess(rays: Rays, gradient: Tensor, cotangent: Tensor) -> Tensor:
    """(R,) float64 weights where the class should flip, were the network linear and the wanted class's share all of it."""
    (low, high), x = rays.problem.bounds, rays.problem.x[rays.image]
    free = torch.where(rays.eta > 0, x < high, x > low)  # what moves at all
    slope = (gradient * rays.eta * free).flatten(1).sum(1).double() * rays.problem.extent
    rows = torch.arange(len(rays), device=x.device)
    margin = rays.best(rays.leads(rays.problem.logits[rays.image], rows)[0]).double()
    return torch.nan_to_num(margin.abs() * cotangent.abs().amax(1) / slope, nan=0.0, posinf=1e9)
