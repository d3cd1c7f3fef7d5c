"""Auto-PGD inside an L2 or L-infinity ball (Croce and Hein 2020, algorithm 1), alone or as one loss after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from advlab.attacks.ascent.apgd.losses import Loss, ascended
from advlab.attacks.ascent.apgd.params import APGD, CLASSES_NEEDED
from advlab.attacks.ascent.ball import Ball, random_offsets
from advlab.attacks.logits import margin
from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status
from advlab.errors import ArgumentError


def run(problem: Problem, params: APGD) -> AlgorithmResult:
    """One ascent after the other, each of the images that are left.

    Raises:
        ArgumentError: the loss needs more classes.
    """
    x = problem.x
    adv, steps = x.clone(), torch.zeros(len(x), dtype=torch.int64, device=x.device)
    status = torch.full_like(steps, int(Status.MAX_ITER))
    if params.epsilon == 0 or not len(x):
        return AlgorithmResult(adv, status, steps)
    params.check_classes(problem.classes)
    if problem.targets is not None and params.loss == "dlr" and problem.classes < CLASSES_NEEDED["targeted_dlr"]:
        raise ArgumentError(
            f"loss=dlr towards targets needs at least 4 classes, the network has {problem.classes}: set loss=ce"
        )
    largest_margin = torch.full((len(x),), -torch.inf, dtype=x.dtype, device=x.device)
    left = torch.arange(len(x), device=x.device)
    for number, (loss, targets) in enumerate(ascents(problem, params)):
        for index in left.split(problem.batch_size):
            rows = Ascent(problem, params, index, loss, None if targets is None else targets[index], number)
            rows.run()
            steps[index] += rows.steps_taken
            larger = rows.largest_margin > largest_margin[index]
            kept = index[larger]
            adv[kept], largest_margin[kept] = rows.adv[larger], rows.largest_margin[larger]
            status[index] = rows.status
        left = left[status[left] != Status.SUCCESS]
        if not len(left):
            break
    return AlgorithmResult(adv, status, steps)


def ascents(problem: Problem, params: APGD) -> Iterator[tuple[Loss, Tensor | None]]:
    """The loss of each ascent, and the classes (N,) that its loss aims at; without targets of the call, success is any class."""
    losses: list[Loss] = ["ce"] if params.loss == "both" else [params.loss]
    if params.loss == "both" and problem.classes >= CLASSES_NEEDED["targeted_dlr"]:
        losses.append("targeted_dlr")
    elif params.loss == "both" and problem.classes >= CLASSES_NEEDED["dlr"] and problem.targets is None:
        losses.append("dlr")
    runners_up = problem.logits.scatter(1, problem.labels[:, None], -torch.inf).argsort(1, descending=True)[:, :-1]
    for loss in losses:
        aims: list[Tensor | None] = [problem.targets]
        if loss == "targeted_dlr" and problem.targets is None:
            aims = list(runners_up[:, : params.target_classes].unbind(1))
        for aim in aims:
            for _ in range(params.restarts):
                yield loss, aim


def checkpoints(steps: int) -> list[int]:
    """The steps w_1, w_2, ... at which the step length is judged (section 3.1): ever closer together.

    >>> checkpoints(100)
    [22, 41, 57, 70, 80, 87, 93, 99]
    """
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    # rounding first: .22 * 100 is a little above 22 in binary
    return [w for share in shares[1:] if (w := math.ceil(round(share * steps, 9))) <= steps]


@dataclass
class Ascent:
    """One ascent of a batch of images, each from its own random start; images that succeed leave.

    Args:
        problem: gives logits and gradients.
        params: of the ascent.
        index: (n,) which images of the problem.
        loss: that is ascended.
        aims: (n,) classes that the loss aims at, or None.
        number: of the ascent, for the random starts.

    Attributes:
        adv: (n, C, H, W) the first adversarial iterate, or that of the largest margin, and largest_margin (n,).
        status, steps_taken: (n,).
    """

    problem: Problem
    params: APGD
    index: Tensor
    loss: Loss
    aims: Tensor | None
    number: int

    def run(self) -> None:
        """Go all steps; the algorithm's names of the paper are in the comments."""
        problem, params, x = self.problem, self.params, self.problem.x[self.index]
        self.adv, n = x.clone(), len(x)
        self.largest_margin = torch.full((n,), -torch.inf, dtype=x.dtype, device=x.device)
        self.status = torch.full_like(self.index, int(Status.MAX_ITER))
        self.steps_taken = torch.full_like(self.index, params.steps)
        ball = Ball(x, params.norm, params.epsilon * problem.extent, problem.bounds)
        z = x.clone()  # x^(k)
        ball.move(z, random_offsets("apgd", params.seed, x, ball, self.number), 1.0)
        self.row = torch.arange(n, device=x.device)  # of this batch, for each image that is still ascending
        value, gradient, left = self.look(z, 0)
        previous, best, best_value, best_gradient = z, z, value, gradient  # x^(k-1), x_max, f_max
        step = torch.full((n,), 2 * ball.radius, dtype=x.dtype, device=x.device)  # eta
        rises = torch.zeros_like(value)
        best_at_checkpoint, halved = value, torch.zeros_like(left)
        last_checkpoint, ends = 0, checkpoints(params.steps)
        for k in range(params.steps):
            if not bool(left.all()):  # the only time in a step that the host waits for the device
                ball.keep(left)
                self.row = self.row[left]
                z, previous, best, gradient, best_gradient = (
                    t[left] for t in (z, previous, best, gradient, best_gradient)
                )
                value, best_value, best_at_checkpoint = value[left], best_value[left], best_at_checkpoint[left]
                step, rises, halved = step[left], rises[left], halved[left]
            if not len(z):
                return
            weight = params.momentum if k else 1.0  # alpha
            new = z.clone()
            ball.move(new, unit(gradient, params.norm), step)
            new.sub_(z).mul_(weight).add_(z - previous, alpha=1 - weight)
            previous, z = z, z.clone()
            ball.move(z, new, 1.0)
            former = value
            value, gradient, left = self.look(z, k + 1)
            rises += value > former
            higher = value > best_value
            best, best_gradient = chosen(higher, z, best), chosen(higher, gradient, best_gradient)
            best_value = torch.where(higher, value, best_value)
            if k + 1 in ends:
                few_rises = rises < params.rho * (k + 1 - last_checkpoint)  # condition 1
                stalled = ~halved & (best_value == best_at_checkpoint)  # condition 2
                halved = few_rises | stalled
                step = torch.where(halved, step / 2, step)
                z, gradient = chosen(halved, best, z), chosen(halved, best_gradient, gradient)
                value = torch.where(halved, best_value, value)
                last_checkpoint, best_at_checkpoint, rises = k + 1, best_value, torch.zeros_like(rises)

    def look(self, z: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Values (n,) and gradients (n, C, H, W) of the loss at `z`, and whether (n,) an image is still ascending.

        Keeps what has succeeded, and what has a larger margin than any point before.
        """
        problem, row, index = self.problem, self.row, self.index[self.row]
        linearisation = problem.linearise(z, index)
        logits, labels = linearisation.logits, problem.labels[index]
        aims = None if self.aims is None else self.aims[row]
        value, cotangent = ascended(logits, labels, aims, self.loss, self.params.arithmetic)
        gradient = linearisation.vjp(cotangent, last=True)
        margins = margin(logits, labels, None if problem.targets is None else problem.targets[index])
        larger = margins > self.largest_margin[row]
        self.adv[row] = chosen(larger, z, self.adv[row])
        self.largest_margin[row] = torch.maximum(margins, self.largest_margin[row])
        flipped = problem.flipped(logits, index)
        norms = norms_of_each(gradient, "linf")
        failure = torch.where(norms > 0, int(Status.MAX_ITER), int(Status.ZERO_GRADIENT))
        failure = torch.where(torch.isfinite(norms), failure, int(Status.NONFINITE))
        self.status[row] = torch.where(flipped, int(Status.SUCCESS), failure)
        self.steps_taken[row] = torch.where(flipped, step, self.steps_taken[row])
        return value, gradient, ~flipped


def chosen(rows: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """(n, C, H, W) of `a` where `rows` (n,) bool, else of `b`."""
    return torch.where(rows[:, None, None, None], a, b)


def unit(gradient: Tensor, norm: str) -> Tensor:
    """(n, C, H, W) the step of length 1 along the gradient: its signs, or itself over its L2 norm; 0 where it is not finite."""
    if norm == "linf":
        return gradient.nan_to_num(0.0).sign()
    norms = norms_of_each(gradient, "l2")[:, None, None, None]
    return torch.where((norms > 0) & torch.isfinite(norms), gradient / norms, 0.0)
