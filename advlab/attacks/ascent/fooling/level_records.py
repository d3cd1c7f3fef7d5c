"""What one ascent gives for each of several levels of the target's probability."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from advlab.attacks.ascent.fooling.backtracking import shortened_step
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status

SLACK = 100.0  # rounding units by which a level is passed, so that it still holds when the image is classified again


class LevelRecords:
    """What an ascent gives for each of L ascending levels.

    Args:
        problem: the images.
        levels: L probabilities.
        width: by which an image's probability may be beyond its level.

    Attributes:
        thresholds: (L, 1) float64 probabilities, so far above the levels that rounding cannot undo them.
        adv: L tensors (N, C, H, W).
        status, steps: (L, N) int64.
        reached: (L, N) bool.
    """

    def __init__(self, problem: Problem, levels: Sequence[float], width: float) -> None:
        self._problem, self._ceilings = problem, [level + width for level in levels]
        x = problem.x
        eps = torch.finfo(x.dtype).eps
        raised = [level + SLACK * eps * (1 - level) for level in levels]
        self.thresholds = torch.tensor(raised, dtype=torch.float64, device=x.device)[:, None]
        self.adv = [x.clone() for _ in levels]
        self.status = torch.full((len(levels), len(x)), int(Status.MAX_ITER), device=x.device)
        self.steps = torch.zeros_like(self.status)
        self.reached = torch.zeros_like(self.status, dtype=torch.bool)

    def newly_reached(self, p: Tensor, image: Tensor) -> Tensor:
        """(L, n) bool: which levels the probabilities `p` (n,) of the images `image` (n,) reach for the first time."""
        return (p >= self.thresholds) & ~self.reached[:, image]

    def write_reached(
        self, first_reached: Tensor, p: Tensor, image: Tensor, before: Tensor, x: Tensor, step: int
    ) -> None:
        """Keep points as the results of the images and levels that reach them for the first time.

        Args:
            first_reached: (L, n) bool, as `newly_reached` gives it.
            p: (n,) probabilities at the points.
            image: (n,) which image of the problem each row is.
            before: (n, C, H, W) the points one step before.
            x: (n, C, H, W) the points.
            step: number of steps so far.
        """
        for level in range(len(self.adv)):
            rows = first_reached[level]
            index, threshold = image[rows], self.thresholds[level, 0]
            self.adv[level][index], self.steps[level, index] = x[rows], step
            self.status[level, index] = int(Status.SUCCESS)
            self.reached[level, index] = True
            leapt = rows & (p > self._ceilings[level])
            targets = self._problem.targets
            if step and targets is not None and bool(leapt.any()):
                index = image[leapt]
                self.adv[level][index] = shortened_step(
                    self._problem, before[leapt], x[leapt], index, targets[index], threshold, self._ceilings[level]
                )

    def write_missed(self, finished: Tensor, image: Tensor, likeliest: Tensor, step: int, ended: Tensor) -> None:
        """Keep the points of highest probability as results of the levels that the finished rows have not reached.

        Args:
            finished: (n,) bool: rows whose ascent ends here.
            image: (n,) which image of the problem each row is.
            likeliest: (n, C, H, W) the point of highest probability.
            step: number of steps so far.
            ended: (n,) the `Status` that says why.
        """
        for level in range(len(self.adv)):
            rows = finished & ~self.reached[level, image]
            index = image[rows]
            self.adv[level][index], self.steps[level, index] = likeliest[rows], step
            self.status[level, index] = ended[rows]

    def results(self) -> list[AlgorithmResult]:
        """One result a level."""
        return [
            AlgorithmResult(adv=adv, status=status, steps=steps)
            for adv, status, steps in zip(self.adv, self.status, self.steps, strict=True)
        ]
