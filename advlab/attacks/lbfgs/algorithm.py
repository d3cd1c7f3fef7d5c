"""Box-constrained L-BFGS of c ||r||^2 + J(x + r, t) with the largest c that succeeds (Szegedy et al. 2014, section 4.1).

Every image searches its own c. One batch advances all searches by one evaluation: one forward and one backward of as many
images as there are left, each at its own L-BFGS step of its own c.
"""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.attacks.lbfgs.box_lbfgs import BoxLBFGS, compact
from advlab.attacks.lbfgs.objective import objective
from advlab.attacks.lbfgs.params import LBFGS
from advlab.attacks.logits import margin
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status

SETTLED = 1.02  # the search over c ends when the largest success and the smallest failure are as near as this


def run(problem: Problem, params: LBFGS) -> AlgorithmResult:
    """The shortest of the minimisers that are adversarial; lengths are in units of the bounds' length."""
    x = problem.x
    adv, steps = x.clone(), torch.zeros(len(x), dtype=torch.int64, device=x.device)
    status = torch.full_like(steps, int(Status.MAX_ITER))
    next_image = min(len(x), problem.batch_size)  # the first that waits for a place in the batch
    search = PenaltySearch(problem, params, torch.arange(next_image, device=x.device))
    while len(search.index):
        ended = search.advance()
        if not len(ended):
            continue
        index = search.index[ended]
        adv[index], status[index], steps[index] = search.adv(ended), search.status[ended], search.steps[ended]
        new = torch.arange(next_image, min(next_image + len(index), len(x)), device=x.device)
        next_image += len(new)
        search.begin(ended[: len(new)], new)
        if len(new) < len(ended):
            search.drop(ended[len(new) :])
    successes = (status == Status.SUCCESS).nonzero()[:, 0]
    adv[successes] = shrink(problem, adv[successes], successes, params.shrink)
    return AlgorithmResult(adv, status, steps)


class PenaltySearch:
    """The searches over the penalty's weight c of the images in one batch, all tensors with one row an image.

    A run is one minimisation with one c. It begins at the image, or at the shortest success once there is one. With
    away=label, log p has hardly a slope at a correctly classified image, and a minimisation that begins there stays there
    for every c that is not minute: so the first runs minimise -log(1 - p) until one succeeds, and log p goes on from there.

    Attributes:
        index: (n,) which image of the problem each row is.
        classes: (n,) the label that is left, or the target that is reached.
        status: (n,) as it is if the search ends now.
        steps: (n,) L-BFGS iterations so far.
        runs: (n,) minimisations so far.
        weight: (n,) c of the present run.
        largest_success, smallest_failure: (n,) of the values of c so far; 0 and infinity where there is none.
        shortest: (n, D) the shortest adversarial r so far, in units of the bounds' length, and shortest_norm (n,), infinite
            where there is none.
        margin: (n,) `logits.margin` at the point that the present run has reached.
        balance: (n,) there, the c for which the length would pull towards the image as strongly as J pulls away.
        toward_others: (n,) bool: J is -log(1 - p) in the present run.
        minimiser: `BoxLBFGS` of all rows.
    """

    def __init__(self, problem: Problem, params: LBFGS, index: Tensor) -> None:
        self.problem, self.params = problem, params
        self.x, n = problem.x[index], len(index)
        flat = self.x.flatten(1)
        self.index, self.classes, self.status = index.clone(), index.clone(), index.clone()
        self.steps, self.runs = torch.zeros(2, n, dtype=torch.int64, device=flat.device)
        self.weight, self.largest_success, self.smallest_failure = flat.new_zeros(3, n)
        self.shortest_norm, self.margin, self.balance = flat.new_zeros(3, n)
        self.toward_others = torch.zeros(n, dtype=torch.bool, device=flat.device)
        self.shortest = torch.zeros_like(flat)
        self.minimiser = BoxLBFGS(
            torch.zeros_like(flat), torch.zeros_like(flat), history=params.history, max_iter=params.max_iter
        )
        self.begin(torch.arange(n, device=flat.device), index)

    def begin(self, rows: Tensor, index: Tensor) -> None:
        """Start the search of the images `index` (k,) in `rows` (k,) of the batch."""
        problem = self.problem
        classes = problem.labels if problem.targets is None else problem.targets
        self.x[rows], self.index[rows], self.classes[rows] = problem.x[index], index, classes[index]
        self.status[rows] = int(Status.MAX_ITER)
        self.steps[rows] = self.runs[rows] = 0
        self.weight[rows], self.largest_success[rows] = self.params.initial, 0.0
        self.smallest_failure[rows] = self.shortest_norm[rows] = torch.inf
        self.toward_others[rows] = problem.targets is None
        low, high = problem.bounds
        flat = self.x[rows].flatten(1)
        self.minimiser.place(rows, (low - flat) / problem.extent, (high - flat) / problem.extent)
        self.minimiser.restart(rows, torch.zeros_like(flat), 0.5 / self.weight[rows])

    def drop(self, rows: Tensor) -> None:
        """Make the batch smaller by `rows` (k,)."""
        compact(self, rows)
        compact(self.minimiser, rows)

    def advance(self) -> Tensor:
        """One forward and one backward of every image; gives the rows (k,) whose search has ended."""
        problem, minimiser = self.problem, self.minimiser
        targets = None if problem.targets is None else self.classes
        at_image = minimiser.fresh & (self.runs == 0)  # the first evaluation of a search is the image itself
        r = minimiser.points()
        linearisation = problem.linearise(self._images(self.x, r), self.index)
        loss, cotangent, ratio = objective(linearisation.logits, self.classes, targets is not None, self.toward_others)
        slope = linearisation.vjp(cotangent, last=True).flatten(1).mul_(problem.extent)
        square = (r * r).sum(1)
        ended = minimiser.tell(r, self.weight * square + loss, torch.addcmul(slope, r, 2 * self.weight[:, None]))
        accepted = minimiser.accepted
        self.steps += accepted & ~at_image
        self.margin = torch.where(accepted, margin(linearisation.logits, self.classes, targets), self.margin)
        # the minimiser of this c lies here unless the box is in its way
        ratio = ratio if self.params.away == "label" else torch.ones_like(ratio)
        balance = -ratio * (slope * r).sum(1) / (2 * square.clamp(min=torch.finfo(r.dtype).tiny))
        self.balance = torch.where(accepted, balance, self.balance)
        vanished = at_image & (slope == 0).all(1)
        rows = (ended | vanished).nonzero()[:, 0]
        if not len(rows):
            return rows
        self.status[rows] = torch.where(vanished[rows], int(Status.ZERO_GRADIENT), self.status[rows])
        broken = ~torch.isfinite(minimiser.value[rows])
        self.status[rows] = torch.where(broken, int(Status.NONFINITE), self.status[rows])
        return self._begin_next_run(rows, vanished[rows] | broken)

    def _begin_next_run(self, rows: Tensor, hopeless: Tensor) -> Tensor:
        """Take in the result of the runs that have ended in `rows` (k,) and begin the next ones.

        Args:
            rows: (k,) of the batch.
            hopeless: (k,) bool: whose search ends whatever has come out.

        Returns:
            The rows that have no next run: their search has ended.
        """
        weight = self.weight[rows]
        self.runs[rows] += 1
        success = (self.margin[rows] > 0) & ~hopeless
        self._keep_shorter(rows, success)
        self.status[rows] = torch.where(success, int(Status.SUCCESS), self.status[rows])
        if self.params.away == "label":  # failures of -log(1 - p) say nothing about log p
            new_objective = success & self.toward_others[rows]
            self.smallest_failure[rows] = torch.where(new_objective, torch.inf, self.smallest_failure[rows])
            self.toward_others[rows] &= ~success
        failure, largest_success = self.smallest_failure[rows], self.largest_success[rows]
        failure = torch.where(success, failure, torch.minimum(failure, weight))
        largest_success = torch.where(success, torch.maximum(largest_success, weight), largest_success)
        self.smallest_failure[rows], self.largest_success[rows] = failure, largest_success
        any_success = self.shortest_norm[rows] < torch.inf
        between = torch.maximum((largest_success * failure).sqrt(), failure / 16)
        larger = torch.where(torch.isinf(failure), 10 * torch.maximum(weight, self.balance[rows]), between)
        self.weight[rows] = torch.where(any_success, larger, weight / 10)
        settled = any_success & (failure <= SETTLED * largest_success)
        finished = hopeless | (self.runs[rows] >= self.params.searches) | settled
        continuing = rows[~finished]
        start = torch.where(any_success[~finished, None], self.shortest[continuing], self.minimiser.z[continuing])
        self.minimiser.restart(continuing, start, 0.5 / self.weight[continuing])
        return rows[finished]

    def _keep_shorter(self, rows: Tensor, success: Tensor) -> None:
        """Keep what the runs of `rows` (k,) have reached where it is a `success` (k,) bool and the shortest so far."""
        norm = torch.linalg.vector_norm(self.minimiser.z[rows], dim=1)
        shorter = rows[success & (norm < self.shortest_norm[rows])]
        self.shortest[shorter] = self.minimiser.z[shorter]
        shortest_norm = torch.minimum(norm, self.shortest_norm[rows])
        self.shortest_norm[rows] = torch.where(success, shortest_norm, self.shortest_norm[rows])

    def adv(self, rows: Tensor) -> Tensor:
        """(k, C, H, W) the shortest success of each row, or where its last run ended."""
        any_success = self.shortest_norm[rows] < torch.inf
        r = torch.where(any_success[:, None], self.shortest[rows], self.minimiser.z[rows])
        return self._images(self.x[rows], r)

    def _images(self, x: Tensor, r: Tensor) -> Tensor:
        """(n, C, H, W) x + r, with r (n, D) in units of the bounds' length."""
        return torch.add(x, r.view(x.shape), alpha=self.problem.extent).clamp_(*self.problem.bounds)


def shrink(problem: Problem, adv: Tensor, index: Tensor, bisections: int) -> Tensor:
    """(n, C, H, W) the nearest adversarial images on the lines from the originals to `adv`, by bisection.

    Args:
        problem: gives logits.
        adv: (n, C, H, W) adversarial images.
        index: (n,) which images of the problem they were made from.
        bisections: how many; 0 gives `adv`.
    """
    x = problem.x[index]
    low, high = adv.new_zeros(len(adv), 1, 1, 1), adv.new_ones(len(adv), 1, 1, 1)
    nearest = adv
    for _ in range(bisections if len(adv) else 0):
        middle = (low + high) / 2
        between = torch.lerp(x, adv, middle)
        success = problem.flipped(problem.forward(between, index), index).view(middle.shape)
        nearest = torch.where(success, between, nearest)
        low, high = torch.where(success, low, middle), torch.where(success, middle, high)
    return nearest
