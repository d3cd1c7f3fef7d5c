"""Fooling images: gradient ascent of the target's probability from any start, and all levels from one ascent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from advlab.attacks.ascent.fooling.params import Fooling
from advlab.attacks.interface import examined, finish
from advlab.attacks.logits import cross_entropy_cotangent
from advlab.attacks.network import Model
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult, AttackResult
from advlab.attacks.status import Status

GREY = 255.0  # the cited step rule is in grey levels
SLACK = 100.0  # rounding units by which a level is passed, so that it still holds when the image is classified again


def run(problem: Problem, attack: Fooling) -> AlgorithmResult:
    """Ascend until the target's probability reaches `attack.level` (gunther2017, figure 2)."""
    return ascend_to_levels(problem, attack, [attack.level])[0]


def fooling_levels(
    attack: Fooling,
    model: Model,
    starts: Tensor,
    targets: Tensor,
    *,
    levels: Sequence[float] = (0.5, 0.9, 0.99),
    bounds: tuple[float, float] = (0.0, 1.0),
    batch_size: int = 0,
) -> dict[float, AttackResult]:
    """Several levels of the same trajectories (F50, F90 and F99 of gunther2017, figures 2 and 4) from one ascent.

    Args:
        attack: its hyperparameters; `level` is not used.
        model: as in `attack`.
        starts: (N, C, H, W) images inside `bounds`.
        targets: (N,) classes to reach; a start appears once for each of its targets.
        levels: probabilities between 0 and 1.
        bounds: lowest and highest pixel value.
        batch_size: images a forward at most; 0: 256.

    Returns:
        For each level what a call with that level gives, save that forwards and backwards are those of the whole ascent
        and of the checks so far.

    Raises:
        ValueError: names the argument and the remedy.
    """
    stops = {level: replace(attack, level=level) for level in sorted(levels)}
    if not stops:
        raise ValueError("levels is empty: give the probabilities to reach")
    labels = torch.zeros(len(starts), dtype=torch.int64)
    with examined(attack, model, starts, labels, targets, bounds, batch_size, {}) as images:
        outcomes = ascend_to_levels(images.problem, attack, list(stops))
        return {level: finish(stops[level], images, outcome) for level, outcome in zip(stops, outcomes, strict=True)}


def ascend_to_levels(problem: Problem, attack: Fooling, levels: Sequence[float]) -> list[AlgorithmResult]:
    """One ascent of each image, with its first point at or above each of the ascending levels.

    An image leaves when it reaches the last level, when a step no longer changes it (ZERO_GRADIENT: the step vanishes;
    NO_FLIP_AT_SATURATION: every pixel that moves is held by the bounds) or when it is not finite; what is missing
    then is the point of highest probability.
    """
    assert problem.targets is not None
    low, high = problem.bounds
    x, t = problem.x, problem.targets
    n, device = len(x), x.device
    eps = torch.finfo(x.dtype).eps
    thresholds = torch.tensor([v + SLACK * eps * (1 - v) for v in levels], dtype=torch.float64, device=device)[:, None]
    adv = [x.clone() for _ in levels]
    status = torch.full((len(levels), n), int(Status.MAX_ITER), device=device)
    steps = torch.zeros_like(status)
    reached = torch.zeros_like(status, dtype=torch.bool)

    live, best, peak = (
        torch.arange(n, device=device),
        x,
        torch.full((n,), -torch.inf, dtype=torch.float64, device=device),
    )
    for step in range(attack.max_iter + 1):
        if not len(live):
            break
        last = step == attack.max_iter
        if last:
            logits = problem.forward(x)
            ended = torch.full_like(live, int(Status.MAX_ITER))
            after = x
        else:
            logits, slope = problem.gradient(x, ascent_of(t))
        log_p = torch.log_softmax(logits.double(), 1).gather(1, t[:, None])[:, 0]
        if not last:
            after, ended = step_from(x, slope, log_p, attack, low, high)
        ended = torch.where(torch.isfinite(logits).all(1), ended, int(Status.NONFINITE))
        p = log_p.exp()
        ended = torch.where(p >= thresholds[-1], int(Status.SUCCESS), ended)
        first = (p >= thresholds) & ~reached[:, live]
        higher = log_p > peak
        best = torch.where(higher[:, None, None, None], x, best)
        peak = torch.where(higher, log_p, peak)
        over = ended >= 0
        if bool(first.any() | over.any()):  # the only look at the device in a step
            for k in range(len(levels)):
                index = live[first[k]]
                adv[k][index], steps[k, index], status[k, index] = x[first[k]], step, int(Status.SUCCESS)
                reached[k, index] = True
                missing = over & ~reached[k, live]
                index = live[missing]
                adv[k][index], steps[k, index], status[k, index] = best[missing], step, ended[missing]
            keep = ~over
            live, after, t, best, peak = live[keep], after[keep], t[keep], best[keep], peak[keep]
        x = after
    return [AlgorithmResult(adv=adv[k], status=status[k], steps=steps[k]) for k in range(len(levels))]


def step_from(
    x: Tensor, slope: Tensor, log_p: Tensor, attack: Fooling, low: float, high: float
) -> tuple[Tensor, Tensor]:
    """The images one step on, inside the bounds, and why an ascent ends here (a `Status`; -1: it does not).

    With g = dp/dx in grey levels, x + min(max_lr, min(early, late (1 - p)) / ||g||^2) g. The gradient comes as that of
    log p and is scaled by p in float64: p itself underflows in float32 far from the target.

    Args:
        x: (n, C, H, W) images.
        slope: (n, C, H, W) gradient of log p, overwritten.
        log_p: (n,) float64.
        attack: its step rule.
        low: lowest pixel value.
        high: highest pixel value.
    """
    grey = (high - low) / GREY
    norm = torch.linalg.vector_norm(slope.flatten(1), dim=1, dtype=torch.float64)
    p = log_p.exp()
    progress = (-attack.late * torch.expm1(log_p)).clamp(max=attack.early)
    square = (norm * grey).square()
    weight = torch.minimum(attack.max_lr * p, progress / (p * square)) * grey**2
    weight = weight.clamp(max=torch.finfo(x.dtype).max)  # infinity times a pixel without a slope would be NaN
    moved = slope.mul_(weight.to(x.dtype)[:, None, None, None]).add_(x)
    vanished = (moved == x).flatten(1).all(1)
    after = moved.clamp(low, high)
    held = (after == x).flatten(1).all(1)
    ended = torch.where(held, int(Status.NO_FLIP_AT_SATURATION), -1)
    ended = torch.where(vanished, int(Status.ZERO_GRADIENT), ended)
    return after, torch.where(torch.isfinite(norm), ended, int(Status.NONFINITE))


def ascent_of(targets: Tensor) -> Callable[[Tensor, slice], Tensor]:
    """Gives, for a batch of logits (b, K), the gradient of the targets' log-probabilities: one-hot - softmax."""

    def cotangent(logits: Tensor, rows: slice) -> Tensor:
        return cross_entropy_cotangent(logits.double(), targets[rows]).neg_().to(logits.dtype)

    return cotangent


def random_starts(count: int, shape: Sequence[int], seed: int = 0) -> Tensor:
    """(count, C, H, W) float32 images in [0, 1] of independent whole grey levels, uniform on 0..255.

    Image i is a function of (seed, i) alone: the bytes of SHAKE-256.

    Args:
        count: images.
        shape: (C, H, W).
        seed: of the draws.
    """
    size = torch.Size(shape).numel()
    stream = b"".join(hashlib.shake_256(f"advlab start/{seed}/{i}".encode()).digest(size) for i in range(count))
    values = torch.frombuffer(bytearray(stream), dtype=torch.uint8) if stream else torch.empty(0, dtype=torch.uint8)
    return (values.double() / GREY).float().reshape(count, *shape)
