"""The smallest epsilon along the sign of the gradient: ours beside ART's, and beside a fine scan."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from advlab.attacks import FGS
from benchmarks import peers
from benchmarks.contest import (
    Side,
    Work,
    compete,
    faster,
    ours,
    quality,
    standing,
    theirs,
)
from benchmarks.report import Report

RESOLUTION = 1 / 255


def smallest_fgs(report: Report, work: Work, repeats: int) -> None:
    """The smallest epsilon along the sign of the gradient, beside ART's smallest of twenty."""
    title = "smallest epsilon of FGS"
    sides = compete(
        [ours("ours", FGS(bisections=1), work), fgs_peer(work)],
        work.model, work.x, work.y, repeats,
    )  # fmt: skip
    standing(report, title, work, sides, box=True)
    faster(report, work, title, sides["ours"], sides["ART"], 3)
    excess = above_first_flip(work, sides["ours"].result)
    quality(
        report, work, title, "epsilon above the first flip of a scan", excess, f"at most {RESOLUTION:.4f}", excess <= RESOLUTION
    )  # fmt: skip


def fgs_peer(work: Work) -> Side:
    """ART on all images: this attack of it is not slow."""
    side = theirs(peers.Art, "fgs", work)
    side.count = len(work.x) if side.call else 0
    return side


def above_first_flip(work: Work, result: Any, count: int = 200, finer: int = 8) -> float:
    """The largest difference, over images, to the first weight that flips in a scan of an eighth of the resolution."""
    worst = 0.0
    for x, y, weight, found in zip(work.x[:count], work.y[:count], result.epsilon, result.success, strict=False):
        if not found:
            continue
        leaf = x[None].clone().requires_grad_()
        (slope,) = torch.autograd.grad(nn.functional.cross_entropy(work.model(leaf), y[None]), leaf)
        weights = torch.arange(1, int(float(weight) / RESOLUTION * finer) + 2, device=x.device) * (RESOLUTION / finer)
        with torch.no_grad():
            points = (x + weights[:, None, None, None] * slope.sign()).clamp(0, 1)
            flips = torch.cat([work.model(part) for part in points.split(512)]).argmax(1) != y
        if bool(flips.any()):
            worst = max(worst, float(weight - weights[flips.nonzero()[0, 0]]))
    return worst
