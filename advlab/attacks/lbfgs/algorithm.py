"""Box-constrained L-BFGS of c ||r||^2 + J(x + r, t) with the largest c that succeeds (Szegedy et al. 2014, section 4.1).

Every image searches its own c while its neighbours in the batch search theirs: a batch is one forward and one backward
of as many images as there are left, each at its own step of its own run.
"""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.attacks.lbfgs.box_lbfgs import BoxLBFGS, compact
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
    waiting = min(len(x), problem.batch_size)
    search = Search(problem, params, torch.arange(waiting, device=x.device))
    while len(search.index):
        ended = search.advance()
        if not len(ended):
            continue
        left = search.index[ended]
        adv[left], status[left], steps[left] = search.image(ended), search.status[ended], search.steps[ended]
        fresh = torch.arange(waiting, min(waiting + len(left), len(x)), device=x.device)
        waiting += len(fresh)
        search.begin(ended[: len(fresh)], fresh)
        if len(fresh) < len(ended):
            search.drop(ended[len(fresh) :])
    found = (status == Status.SUCCESS).nonzero()[:, 0]
    adv[found] = shrink(problem, adv[found], found, params.shrink)
    return AlgorithmResult(adv, status, steps)


class Search:
    """The search over c of the images in one batch.

    A run begins at the image, or at the shortest success once there is one. With away=label, log p has hardly a slope
    at a correctly classified image, and a minimisation that begins there stays there for every c that is not minute: so
    the first runs minimise -log(1 - p) until one succeeds, and log p goes on from there.

    Attributes:
        index: (n,) images of the problem.
        status: (n,) as it is if the search ends now.
        steps: (n,) L-BFGS iterations so far.
    """

    def __init__(self, problem: Problem, params: LBFGS, index: Tensor) -> None:
        self.problem, self.params = problem, params
        self.x, n = problem.x[index], len(index)
        flat = self.x.flatten(1)
        self.index, self.wanted, self.status = index.clone(), index.clone(), index.clone()
        self.steps, self.runs = torch.zeros(2, n, dtype=torch.int64, device=flat.device)
        self.weight, self.succeeds, self.fails, self.norm, self.margin, self.pull = flat.new_zeros(6, n)
        self.away = torch.zeros(n, dtype=torch.bool, device=flat.device)  # minimises -log(1 - p)
        self.best = torch.zeros_like(flat)
        self.box = BoxLBFGS(
            torch.zeros_like(flat), torch.zeros_like(flat), history=params.history, max_iter=params.max_iter
        )
        self.begin(torch.arange(n, device=flat.device), index)

    def begin(self, rows: Tensor, index: Tensor) -> None:
        """Start the search of the images `index` (k,) in `rows` (k,) of the batch."""
        problem = self.problem
        wanted = problem.labels if problem.targets is None else problem.targets
        self.x[rows], self.index[rows], self.wanted[rows] = problem.x[index], index, wanted[index]
        self.status[rows] = int(Status.MAX_ITER)
        self.steps[rows] = self.runs[rows] = 0
        self.weight[rows], self.succeeds[rows] = self.params.initial, 0.0
        self.fails[rows] = self.norm[rows] = torch.inf
        self.away[rows] = problem.targets is None
        low, high = problem.bounds
        flat = self.x[rows].flatten(1)
        self.box.place(rows, (low - flat) / problem.extent, (high - flat) / problem.extent)
        self.box.restart(rows, torch.zeros_like(flat), 0.5 / self.weight[rows])

    def drop(self, rows: Tensor) -> None:
        """Make the batch smaller by `rows` (k,)."""
        compact(self, rows)
        compact(self.box, rows)

    def advance(self) -> Tensor:
        """One forward and one backward of every image; gives the rows (k,) whose search has ended."""
        problem, box = self.problem, self.box
        targets = None if problem.targets is None else self.wanted
        first = box.fresh & (self.runs == 0)
        r = box.points()
        at = problem.linearise(self._images(self.x, r))
        loss, cotangent, ratio = objective(at.logits, self.wanted, targets is not None, self.away)
        slope = at.vjp(cotangent, last=True).flatten(1).mul_(problem.extent)
        square = (r * r).sum(1)
        done = box.tell(r, self.weight * square + loss, torch.addcmul(slope, r, 2 * self.weight[:, None]))
        self.steps += box.accepted & ~first
        self.margin = torch.where(box.accepted, margin(at.logits, self.wanted, targets), self.margin)
        # along r, J pulls as the length does at this c: where the minimiser of that c lies unless the box is in its way
        ratio = ratio if self.params.away == "label" else torch.ones_like(ratio)
        pull = -ratio * (slope * r).sum(1) / (2 * square.clamp(min=torch.finfo(r.dtype).tiny))
        self.pull = torch.where(box.accepted, pull, self.pull)
        vanished = first & (slope == 0).all(1)
        rows = (done | vanished).nonzero()[:, 0]
        if not len(rows):
            return rows
        self.status[rows] = torch.where(vanished[rows], int(Status.ZERO_GRADIENT), self.status[rows])
        broken = ~torch.isfinite(box.value[rows])
        self.status[rows] = torch.where(broken, int(Status.NONFINITE), self.status[rows])
        return self._next(rows, vanished[rows] | broken)

    def _next(self, rows: Tensor, over: Tensor) -> Tensor:
        """Take in the run that has ended in `rows` (k,) and begin the next; gives the rows without a next."""
        z, weight = self.box.z[rows], self.weight[rows]
        self.runs[rows] += 1
        success = (self.margin[rows] > 0) & ~over
        norm = torch.linalg.vector_norm(z, dim=1)
        shorter = rows[success & (norm < self.norm[rows])]
        self.best[shorter] = self.box.z[shorter]
        self.norm[rows] = torch.where(success, torch.minimum(norm, self.norm[rows]), self.norm[rows])
        self.status[rows] = torch.where(success, int(Status.SUCCESS), self.status[rows])
        if self.params.away == "label":  # failures of -log(1 - p) say nothing about log p
            self.fails[rows] = torch.where(success & self.away[rows], torch.inf, self.fails[rows])
            self.away[rows] &= ~success
        fails = self.fails[rows]
        fails = torch.where(success, fails, torch.minimum(fails, weight))
        succeeds = torch.where(success, torch.maximum(self.succeeds[rows], weight), self.succeeds[rows])
        self.fails[rows], self.succeeds[rows] = fails, succeeds
        found = self.norm[rows] < torch.inf
        between = torch.maximum((succeeds * fails).sqrt(), fails / 16)
        larger = torch.where(torch.isinf(fails), 10 * torch.maximum(weight, self.pull[rows]), between)
        self.weight[rows] = torch.where(found, larger, weight / 10)
        over = over | (self.runs[rows] >= self.params.searches) | (found & (fails <= SETTLED * succeeds))
        again = rows[~over]
        begin = torch.where(found[~over, None], self.best[again], self.box.z[again])
        self.box.restart(again, begin, 0.5 / self.weight[again])
        return rows[over]

    def image(self, rows: Tensor) -> Tensor:
        """(k, C, H, W) the shortest success of each row, or where its last run ended."""
        found = self.norm[rows] < torch.inf
        return self._images(self.x[rows], torch.where(found[:, None], self.best[rows], self.box.z[rows]))

    def _images(self, x: Tensor, r: Tensor) -> Tensor:
        return torch.add(x, r.view(x.shape), alpha=self.problem.extent).clamp_(*self.problem.bounds)


def objective(logits: Tensor, wanted: Tensor, targeted: bool, away: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """J (n,), its gradient with respect to the logits (n, K), and what makes that the gradient of log p (n,).

    Targeted: -log p of the target. Otherwise log p of the label, or -log(1 - p) where `away` (n,), whose gradients have
    the same direction: (1 - p) d and p d with d = one-hot - softmax of the other logits.
    """
    own = wanted[:, None]
    others = logits.scatter(1, own, -torch.inf)
    z, rest = logits.gather(1, own)[:, 0], others.logsumexp(1)
    towards = -torch.softmax(others, 1)
    towards.scatter_(1, own, 1.0)
    log_p, log_rest = -torch.nn.functional.softplus(rest - z), -torch.nn.functional.softplus(z - rest)
    p, remainder = torch.sigmoid(z - rest), torch.sigmoid(rest - z)
    one = torch.ones_like(p)
    if targeted:
        return -log_p, -remainder[:, None] * towards, one
    loss = torch.where(away, -log_rest, log_p)
    factor = torch.where(away, p, remainder)
    ratio = torch.where(away, remainder / p.clamp(min=torch.finfo(p.dtype).tiny), one)
    return loss, factor[:, None] * towards, ratio


def shrink(problem: Problem, adv: Tensor, index: Tensor, bisections: int) -> Tensor:
    """(n, C, H, W) the nearest adversarial images between those of `index` (n,) and `adv`, by bisection."""
    x = problem.x[index]
    low, high = adv.new_zeros(len(adv), 1, 1, 1), adv.new_ones(len(adv), 1, 1, 1)
    best = adv
    for _ in range(bisections if len(adv) else 0):
        middle = (low + high) / 2
        between = torch.lerp(x, adv, middle)
        success = problem.flipped(problem.forward(between), index).view(middle.shape)
        best = torch.where(success, between, best)
        low, high = torch.where(success, low, middle), torch.where(success, middle, high)
    return best
