"""Attacks along one direction, signs or values of a gradient: the directions, and how far `search` goes along them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from advlab.attacks.gradient_search.fgs.params import FGS
from advlab.attacks.gradient_search.fgv.params import FGV
from advlab.attacks.gradient_search.hot_cold.params import HotCold
from advlab.attacks.gradient_search.params import Search
from advlab.attacks.gradient_search.rays import Rays
from advlab.attacks.gradient_search.saliency.params import Saliency
from advlab.attacks.gradient_search.smallest_weight import Found, search
from advlab.attacks.interface import AlgorithmResult
from advlab.attacks.problem import Problem, cross_entropy_cotangent
from advlab.attacks.status import Status

ROWS = 1024  # directions in memory at a time; nothing depends on it
FILL = 4  # where the images would fill a batch so many times over, each takes several of its places

Aim = Callable[
    [slice], tuple[Tensor, Tensor]
]  # images to (n, m, K) cotangents and (n, m, C, H, W) gradients, m of each


def fgs(problem: Problem, params: FGS) -> AlgorithmResult:
    """x + w sign(grad J), J the cross-entropy of the label; with targets, down that of the target."""
    return along(problem, params, given(problem, loss), signs=True)


def fgv(problem: Problem, params: FGV) -> AlgorithmResult:
    """x + w grad J / max|grad J|, J as in `fgs`."""
    return along(problem, params, given(problem, loss))


def saliency(problem: Problem, params: Saliency) -> AlgorithmResult:
    """Down the gradient of the label's logit; with targets, up that of the target's."""
    return along(problem, params, given(problem, logit))


def loss(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """(n, K) cotangent of the loss that is to rise, in the images' own precision.

    Where the label's probability is 1 to the last digit the gradient may vanish; that is counted, not mended, because the
    success rates of gunther2017 (table 1) contain it.
    """
    return cross_entropy_cotangent(logits, labels) if targets is None else -cross_entropy_cotangent(logits, targets)


def logit(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """(n, K) cotangent of the logit that is to fall or, with targets, to rise."""
    wanted, sign = (labels, -1.0) if targets is None else (targets, 1.0)
    return torch.zeros_like(logits).scatter_(1, wanted[:, None], sign)


def given(problem: Problem, cotangent: Callable[[Tensor, Tensor, Tensor | None], Tensor]) -> Aim:
    """One direction an image: J' cotangent, which the first look at the images has given already (`Problem.slopes`)."""
    omega = cotangent(problem.logits, problem.labels, problem.targets)
    slopes = problem.x if problem.slopes is None else problem.slopes  # none: there are no images
    return lambda rows: (omega[rows, None], slopes[rows, None])


def hot_cold(problem: Problem, params: HotCold) -> AlgorithmResult:
    """J' omega, omega = |h_t| at the hot class t and -|h_y| at the cold class y (Rozsa et al. 2016).

    The paper has -h_y. The label's logit is the largest; where even that is negative, -h_y would raise it.

    Raises:
        ValueError: there is no class of the rank `hot`.
    """
    z, k = problem.logits, problem.classes
    if params.hot >= k and len(problem):
        raise ValueError(f"hot={params.hot}: besides the label the model has {k - 1} classes, hot={k - 1} is the last")
    if problem.targets is not None:
        hot = problem.targets[:, None]
    else:
        ranks = slice(0, max(k - 1, 0)) if params.hot == 0 else slice(params.hot - 1, params.hot)
        hot = z.scatter(1, problem.labels[:, None], -torch.inf).argsort(dim=1, descending=True, stable=True)[:, ranks]
    cold = problem.labels[:, None]
    chill = torch.zeros_like(z).scatter_(1, cold, -z.gather(1, cold).abs())

    def aim(rows: slice) -> tuple[Tensor, Tensor]:
        t = hot[rows, :, None]
        heat = z[rows].gather(1, hot[rows]).abs()[:, :, None]
        omega = chill[rows, None].repeat(1, t.shape[1], 1).scatter(2, t, heat)
        pairs = zip(problem.x[rows].split(problem.batch_size), omega.split(problem.batch_size), strict=True)
        return omega, torch.cat([products(problem, x, each) for x, each in pairs])

    return along(problem, params, aim, each=hot.shape[1], goals=hot if params.reach else None)


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
        goals: (N, m) classes that count as success instead of any but the label; None: `problem.targets`, except for
            Hot/Cold, whose targets only aim.
    """
    if goals is None and problem.targets is not None and not isinstance(params, HotCold):
        goals = problem.targets[:, None]
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
