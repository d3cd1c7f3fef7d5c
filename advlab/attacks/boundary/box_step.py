"""The shortest step to a hyperplane that stays inside the box of the pixels."""

from __future__ import annotations

import torch
from torch import Tensor

NEWTON_ITERATIONS = 30  # at most; each of them holds at least one more pixel at its bound, and few are needed
TOLERANCE = 1e-6  # share of the gap that may be left


def box_step(w: Tensor, gap: Tensor, x: Tensor, bounds: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """argmin ||s||_2 subject to w . s = gap and low <= x + s <= high, for each image.

    The solution is s = clamp(lambda w, low - x, high - x). w . s is a concave, increasing and piecewise linear function of
    lambda, so that Newton's iteration from below ends at the root.

    Args:
        w: (n, C, H, W) normals of the hyperplanes.
        gap: (n,) at least 0: what w . s is to be.
        x: (n, C, H, W) images inside the bounds.
        bounds: (low, high).

    Returns:
        (n, C, H, W) steps, and (n,) bool whether the hyperplane is reached inside the box. Where it is not, the step goes
        as far as the box does.

    >>> w, x = torch.tensor([[[[3.0, 4.0]]]]), torch.tensor([[[[0.5, 0.5]]]])
    >>> step, reached = box_step(w, torch.tensor([2.5]), x, (0.0, 1.0))  # free: 2.5 w / ||w||^2
    >>> [round(value, 4) for value in step.flatten().tolist()], reached.tolist()
    ([0.3, 0.4], [True])
    >>> step, reached = box_step(w, torch.tensor([3.2]), x, (0.0, 1.0))  # the second pixel is held at 1
    >>> [round(value, 4) for value in step.flatten().tolist()], reached.tolist()
    ([0.4, 0.5], [True])
    """
    low, high = bounds
    flat_w, flat_x = w.flatten(1), x.flatten(1)
    squares = flat_w * flat_w
    most = (torch.where(flat_w > 0, high - flat_x, low - flat_x) * flat_w).clamp_min(0)  # each pixel's share of w . s
    reached = most.sum(1) > gap
    tiny = torch.finfo(x.dtype).tiny
    multiplier = gap / squares.sum(1).clamp_min(tiny)  # lambda
    for _ in range(NEWTON_ITERATIONS):
        unclamped = multiplier[:, None] * squares
        free = unclamped < most
        missing = gap - torch.minimum(unclamped, most).sum(1)
        slope = torch.where(free, squares, 0).sum(1)
        unsolved = (missing > TOLERANCE * gap) & (slope > 0)
        if not bool(unsolved.any()):
            break
        multiplier = torch.where(unsolved, multiplier + missing / slope.clamp_min(tiny), multiplier)
    step = torch.where(reached[:, None], multiplier[:, None] * flat_w, torch.inf * flat_w.sign())
    step = torch.minimum(torch.maximum(step.nan_to_num(0.0), low - flat_x), high - flat_x)
    return step.view_as(w), reached
