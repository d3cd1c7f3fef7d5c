"""Hot/Cold: towards one class and away from another, by their logits (Rozsa et al. 2016)."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.attacks.gradient_search.along_gradient import attack_along
from advlab.attacks.gradient_search.hot_cold.params import HotCold
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.errors import ArgumentError

# An image is copied within a batch only if the batch holds at least so many times the images.
ROOM_FOR_COPIES = 4


def run(problem: Problem, params: HotCold) -> AlgorithmResult:
    """J' omega, omega = |h_t| at the hot class t and -|h_y| at the cold class y (Rozsa et al. 2016).

    The paper has -h_y instead of -|h_y|. Where the label's logit h_y is negative, -h_y would raise it.

    Raises:
        ArgumentError: there is no class of the rank `hot`.
    """
    z, k = problem.logits, problem.classes
    if params.hot >= k and len(problem):
        raise ArgumentError(
            f"hot={params.hot}: besides the label the model has {k - 1} classes, hot={k - 1} is the last"
        )
    if problem.targets is not None:
        hot = problem.targets[:, None]
    else:
        ranks = slice(0, max(k - 1, 0)) if params.hot == 0 else slice(params.hot - 1, params.hot)
        hot = z.scatter(1, problem.labels[:, None], -torch.inf).argsort(dim=1, descending=True, stable=True)[:, ranks]
    cold = problem.labels[:, None]
    chill = torch.zeros_like(z).scatter_(1, cold, -z.gather(1, cold).abs())

    def directions(rows: slice) -> tuple[Tensor, Tensor]:
        t = hot[rows, :, None]
        heat = z[rows].gather(1, hot[rows]).abs()[:, :, None]
        omega = chill[rows, None].repeat(1, t.shape[1], 1).scatter(2, t, heat)
        pairs = zip(problem.x[rows].split(problem.batch_size), omega.split(problem.batch_size), strict=True)
        return omega, torch.cat([products(problem, x, cotangents) for x, cotangents in pairs])

    return attack_along(problem, params, directions, per_image=hot.shape[1], goals=hot if params.reach else None)


def products(problem: Problem, x: Tensor, cotangents: Tensor) -> Tensor:
    """(n, m, C, H, W) products J' omega from one forward: m cotangents (n, m, K) at each of a batch of n images.

    Where there are few images, copies of them fill the batch, so that one backward gives several products of each image.
    """
    n, m = cotangents.shape[:2]
    copies = min(m, problem.batch_size // n if ROOM_FOR_COPIES * n <= problem.batch_size else 1)
    at = problem.linearise(x.repeat_interleave(copies, 0))
    parts: list[Tensor] = []
    for part in cotangents.split(copies, dim=1):
        missing = part.new_zeros(n, copies - part.shape[1], problem.classes)
        last = len(parts) == (m - 1) // copies
        gradient = at.vjp(torch.cat([part, missing], 1).flatten(0, 1), last=last)
        parts.append(gradient.view(n, copies, *x.shape[1:])[:, : part.shape[1]])
    return torch.cat(parts, 1)
