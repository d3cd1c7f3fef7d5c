"""Fooling images: gradient ascent of the target's probability from any start, and all levels from one ascent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from advlab.attacks.ascent.fooling.backtracking import log_probability, probability
from advlab.attacks.ascent.fooling.level_records import LevelRecords
from advlab.attacks.ascent.fooling.params import Fooling
from advlab.attacks.examination import examined
from advlab.attacks.interface import checked_result
from advlab.attacks.network import LogitsFunction
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult, AttackResult
from advlab.attacks.status import Status
from advlab.errors import ArgumentError
from advlab.metrics.loss_gradient import cross_entropy_direction, error_log_odds

GREY_LEVELS = 255.0  # the cited step rule is in units of one grey level of an 8-bit image
STILL_ASCENDING = -1  # in place of a `Status`: the ascent does not end here


def run(problem: Problem, attack: Fooling) -> AlgorithmResult:
    """Ascend until the target's probability reaches `attack.level` (gunther2017, figure 2)."""
    return ascend_to_levels(problem, attack, [attack.level])[0]


def fooling_levels(
    attack: Fooling,
    model: LogitsFunction,
    starts: Tensor,
    targets: Tensor,
    *,
    levels: Sequence[float] = (0.5, 0.9, 0.99),
    bounds: tuple[float, float] = (0.0, 1.0),
    batch_size: int = 0,
) -> dict[float, AttackResult]:
    """Fooling images of several levels (F50, F90 and F99 of gunther2017, figures 2 and 4) from one ascent of each start.

    Args:
        attack: its hyperparameters; `level` is not used.
        model: gives logits (N, K) for images (N, C, H, W) in the units of `bounds`.
        starts: (N, C, H, W) images inside `bounds`.
        targets: (N,) classes to reach; a start appears once for each of its targets.
        levels: probabilities between 0 and 1.
        bounds: lowest and highest pixel value.
        batch_size: images a forward at most; 0: 256.

    Returns:
        For each level what a call with that level gives, save that forwards and backwards are those of the whole ascent
        and of the checks so far.

    Raises:
        ArgumentError: names the argument and the remedy.
    """
    attacks = {level: replace(attack, level=level) for level in sorted(levels)}
    if not attacks:
        raise ArgumentError("levels is empty: give the probabilities to reach")
    labels = torch.zeros(len(starts), dtype=torch.int64)
    with examined(attack, model, starts, labels, targets, bounds, batch_size, {}) as images:
        results = ascend_to_levels(images.problem, attack, list(attacks))
        return {
            level: checked_result(attacks[level], images, result)
            for level, result in zip(attacks, results, strict=True)
        }


def ascend_to_levels(problem: Problem, attack: Fooling, levels: Sequence[float]) -> list[AlgorithmResult]:
    """One ascent of each image, with its first point at each of the ascending levels.

    A step that leads beyond a level by more than `attack.width` is shortened for the image of that level; the ascent itself
    goes on from where the whole step leads.

    An image leaves when it reaches the last level, when a step no longer changes it (ZERO_GRADIENT: the step vanishes;
    NO_FLIP_AT_SATURATION: every pixel that moves is held by the bounds) or when it is not finite. The result of a level
    that it has not reached then is its point of highest probability.
    """
    assert problem.targets is not None
    records = LevelRecords(problem, levels, attack.width)
    x, targets = problem.x, problem.targets
    before = x  # the points of each row before its last step
    image = torch.arange(len(x), device=x.device)  # of the problem, for each row that is still ascending
    likeliest = x  # of the points of each row so far, the one of highest probability
    highest_log_p = torch.full((len(x),), -torch.inf, dtype=torch.float64, device=x.device)
    for step in range(attack.max_iter + 1):
        if not len(image):
            break
        if step < attack.max_iter:
            logits, slope = problem.gradient(x, log_probability_cotangent(targets), image)
            log_p = log_probability(logits, targets)
            next_x, ended = step_from(x, slope, log_p, attack, problem.bounds)
        else:
            logits = problem.forward(x, image)
            log_p = log_probability(logits, targets)
            next_x, ended = x, torch.full_like(image, int(Status.MAX_ITER))
        ended = torch.where(torch.isfinite(logits).all(1), ended, int(Status.NONFINITE))
        p = probability(problem, logits, targets)
        ended = torch.where(p >= records.thresholds[-1], int(Status.SUCCESS), ended)
        higher = log_p > highest_log_p
        likeliest = torch.where(higher[:, None, None, None], x, likeliest)
        highest_log_p = torch.where(higher, log_p, highest_log_p)
        finished = ended != STILL_ASCENDING
        first_reached = records.newly_reached(p, image)
        if bool(first_reached.any() | finished.any()):  # the only time in a step that the host waits for the device
            records.write_reached(first_reached, p, image, before, x, step)
            records.write_missed(finished, image, likeliest, step, ended)
            ascending = ~finished
            image, x, next_x, targets = image[ascending], x[ascending], next_x[ascending], targets[ascending]
            likeliest, highest_log_p = likeliest[ascending], highest_log_p[ascending]
        before, x = x, next_x
    return records.results()


def step_from(
    x: Tensor, slope: Tensor, log_p: Tensor, attack: Fooling, bounds: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """The images one step on, inside the bounds, and why an ascent ends here (a `Status`, or STILL_ASCENDING).

    With g = dp/dx in grey levels, the step is min(max_lr, min(early, late (1 - p)) / ||g||^2) g. The gradient comes as that
    of log p and is scaled by p in float64: p itself underflows in float32 far from the target.

    Args:
        x: (n, C, H, W) images.
        slope: (n, C, H, W) gradient of log p, overwritten.
        log_p: (n,) float64.
        attack: its step rule.
        bounds: lowest and highest pixel value.
    """
    low, high = bounds
    grey_level = (high - low) / GREY_LEVELS
    norm = torch.linalg.vector_norm(slope.flatten(1), dim=1, dtype=torch.float64)
    p = log_p.exp()
    progress = (-attack.late * torch.expm1(log_p)).clamp(max=attack.early)
    square = (norm * grey_level).square()
    weight = torch.minimum(attack.max_lr * p, progress / (p * square)) * grey_level**2
    weight = weight.clamp(max=torch.finfo(x.dtype).max)  # infinity times a pixel without a slope would be NaN
    unclipped = slope.mul_(weight.to(x.dtype)[:, None, None, None]).add_(x)
    vanished = (unclipped == x).flatten(1).all(1)
    clipped = unclipped.clamp(low, high)
    held = (clipped == x).flatten(1).all(1)
    ended = torch.where(held, int(Status.NO_FLIP_AT_SATURATION), STILL_ASCENDING)
    ended = torch.where(vanished, int(Status.ZERO_GRADIENT), ended)
    return clipped, torch.where(torch.isfinite(norm), ended, int(Status.NONFINITE))


def log_probability_cotangent(targets: Tensor) -> Callable[[Tensor, slice], Tensor]:
    """Gives, for a batch of logits (b, K), the gradient of the targets' log-probabilities: one-hot - softmax."""

    def cotangent(logits: Tensor, rows: slice) -> Tensor:
        one_minus_p = torch.sigmoid(error_log_odds(logits, targets[rows]))
        return -(one_minus_p[:, None] * cross_entropy_direction(logits.double(), targets[rows])).to(logits.dtype)

    return cotangent


def random_starts(count: int, shape: Sequence[int], seed: int = 0) -> Tensor:
    """(count, C, H, W) float32 images in [0, 1] of independent whole grey levels, uniform on 0..255.

    Image i is a function of (seed, i) alone: the bytes that SHAKE-256 gives for them.

    Args:
        count: images.
        shape: (C, H, W).
        seed: of the draws.

    >>> (random_starts(1, (1, 1, 3)) * 255).round().int().tolist()
    [[[[55, 105, 165]]]]
    >>> torch.equal(random_starts(3, (1, 1, 3))[:1], random_starts(1, (1, 1, 3)))  # the first image is the same
    True
    """
    size = torch.Size(shape).numel()
    stream = b"".join(hashlib.shake_256(f"advlab start/{seed}/{i}".encode()).digest(size) for i in range(count))
    grey_levels = (
        torch.frombuffer(bytearray(stream), dtype=torch.uint8) if stream else torch.empty(0, dtype=torch.uint8)
    )
    return (grey_levels.double() / GREY_LEVELS).float().reshape(count, *shape)
