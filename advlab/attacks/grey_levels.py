"""Images in whole grey levels, the multiples of 1/255 of the bounds' length, as an 8-bit file holds them."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem
from advlab.data.exact_division import divisor

LEVELS = 255
ROUNDING = 1e-3  # of a level: bounds that are whole levels but for float rounding count as whole
HALVINGS = 24  # of a perturbation's length, until it fits an L2 ball in whole levels

#: A 4096th of a grey level, by which weights are shorter before images are rounded to grey levels. A search that halves a step
#: of one level looks at exactly half a level, where float rounding would decide pixel by pixel, and otherwise in [0, 1] than in
#: 0..255: so a half is rounded to the smaller change.
BELOW_HALF = 2**-12 / 255


def in_grey_levels(x: Tensor, bounds: tuple[float, float]) -> Tensor:
    """(N, C, H, W) the nearest images in whole grey levels, a new tensor; a half is rounded to the even level.

    Multiplied first: k * 255 / 255 is k, and k * 1 / 255 the float nearest to k / 255.

    >>> (in_grey_levels(torch.tensor([[[[0.0, 0.301]]]]), (0.0, 1.0)) * 255).tolist()
    [[[[0.0, 77.0]]]]
    """
    low, extent = bounds[0], bounds[1] - bounds[0]
    return (x - low).mul_(LEVELS / extent).round_().mul_(extent).div_(divisor(LEVELS, x)).add_(low)


def inside_ball(problem: Problem, adv: Tensor, norm: str, epsilon: float) -> Tensor:
    """(N, C, H, W) images in whole grey levels near `adv`, no farther from the problem's images than `epsilon`.

    In the L-infinity norm each pixel is rounded to the nearest level in the ball. In the L2 norm a perturbation that is too
    long after rounding is shortened, and what remains of it is rounded again. An image of the problem that is not in
    whole grey levels itself has a ball that may hold none: then it is rounded to the nearest.

    Args:
        problem: of the images `x` in the balls' centres.
        adv: (N, C, H, W), inside the bounds.
        norm: linf or l2.
        epsilon: radius, in units of the bounds' length.
    """
    x, radius = problem.x, epsilon * problem.extent
    shorter = BELOW_HALF * problem.extent
    adv = torch.lerp(adv, x, shorter / (adv - x).abs().clamp_min(shorter))
    if norm == "linf":
        to_levels = LEVELS / problem.extent
        lowest = ((x - radius - problem.bounds[0]) * to_levels - ROUNDING).ceil_()
        highest = ((x + radius - problem.bounds[0]) * to_levels + ROUNDING).floor_()
        levels = ((adv - problem.bounds[0]) * to_levels).round_()
        levels = torch.minimum(torch.maximum(levels, lowest), highest)
        adv = levels.div_(divisor(to_levels, levels)).add_(problem.bounds[0])
        return in_grey_levels(adv, problem.bounds).clamp_(*problem.bounds)
    rounded, delta = in_grey_levels(adv, problem.bounds), adv - x
    allowed = radius * (1 + 1e-6)
    low, high = torch.zeros(len(x)).to(x), torch.ones(len(x)).to(x)
    if not bool((norms_of_each(rounded - x, "l2") > allowed).any()):
        return rounded
    result = in_grey_levels(x, problem.bounds)
    fits = norms_of_each(rounded - x, "l2") <= allowed
    result = torch.where(fits[:, None, None, None], rounded, result)
    low[fits] = 1.0
    for _ in range(HALVINGS):  # the largest share of the perturbation that fits
        middle = (low + high) / 2
        rounded = in_grey_levels(x + middle[:, None, None, None] * delta, problem.bounds)
        fits = norms_of_each(rounded - x, "l2") <= allowed
        result = torch.where((fits & (middle > low))[:, None, None, None], rounded, result)
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    return result
