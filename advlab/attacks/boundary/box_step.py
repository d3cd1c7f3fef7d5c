"""The shortest step to a hyperplane that stays inside the box of the pixels."""

from __future__ import annotations

import torch
from torch import Tensor

NEWTON = 30  # iterations at most; each one fixes at least one pixel at its bound, and few are needed


def box_step(w: Tensor, gap: Tensor, x: Tensor, bounds: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """argmin ||s||_2 subject to w . s = gap and low <= x + s <= high, for each image.

    The solution is s = clamp(lambda w, low - x, high - x); w . s is a concave, increasing and piecewise linear function of
    lambda, so that Newton's iteration from below ends at the root.

    Args:
        w: (n, C, H, W) normals.
        gap: (n,) at least 0.
        x: (n, C, H, W) inside the bounds.
        bounds: (low, high).

    Returns:
        (n, C, H, W) steps, and (n,) bool whether the hyperplane is reached inside the box; where it is not, the step goes
        as far as the box does.
    """
    low, high = bounds
    flat = w.flatten(1)
    squared = flat * flat
    room = (torch.where(flat > 0, high - x.flatten(1), low - x.flatten(1)) * flat).clamp_min(0)  # w . s at the bound
    reached = room.sum(1) > gap
    weight = gap / squared.sum(1).clamp_min(torch.finfo(x.dtype).tiny)
    for _ in range(NEWTON):
        moved = weight[:, None] * squared
        free = moved < room
        missing = gap - torch.minimum(moved, room).sum(1)
        slope = torch.where(free, squared, 0).sum(1)
        going = (missing > 1e-6 * gap) & (slope > 0)
        if not bool(going.any()):
            break
        weight = torch.where(going, weight + missing / slope.clamp_min(torch.finfo(x.dtype).tiny), weight)
    step = torch.where(reached[:, None], weight[:, None] * flat, torch.inf * flat.sign())
    step = torch.minimum(torch.maximum(step.nan_to_num(0.0), low - x.flatten(1)), high - x.flatten(1))
    return step.view_as(w), reached
