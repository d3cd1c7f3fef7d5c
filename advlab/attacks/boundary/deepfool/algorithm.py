"""DeepFool: untargeted, targeted or confined to a subspace, in a batch whose finished images make room for new ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from advlab.attacks.boundary.deepfool.params import DeepFool
from advlab.attacks.boundary.deepfool.refinement import refine
from advlab.attacks.boundary.nearest_boundary import Gradients, nearest, nearest_at_once
from advlab.attacks.network import Linearisation
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status

NUDGE = 1e-4  # of the extent, added to each step by the Python flavour
AT_ONCE = {
    "cpu": 0
}  # up to so many rivals an image they are looked at in one batch, elsewhere up to 32: for a CPU a row
# more costs as much as a row later, for an accelerator it does not
REPACK = 0.25  # share of finished images from which on those that are left are worth a forward of their own


def run(problem: Problem, params: DeepFool) -> AlgorithmResult:
    """Step to the nearest linearised boundary until the class changes (Moosavi-Dezfooli et al. 2016, algorithms 1 and 2).

    Each step costs one forward, which tells whether an image is finished and linearises it where it is not (two in the
    flavour matlab), and the gradients that `nearest` asks for. What comes out is checked after the last step.

    With `exact`, `facts["rival_differs"]` is the share of steps at which the economical choice, taking the same steps,
    would have chosen another rival (not where all rivals are looked at in one batch: there is no economy to judge).

    Raises:
        ValueError: a basis of the wrong shape, that is not orthonormal, or together with clipping or another norm.
    """
    outcome = Stepper(problem, params).run()
    if not params.refine:
        return outcome
    return refine(problem, params, outcome)


class Stepper:
    """The images in work: `index` into the problem, perturbation `r` before the overshoot, steps `count`, norms `known`."""

    def __init__(self, problem: Problem, params: DeepFool) -> None:
        self.problem, self.params = problem, params
        x = problem.x
        self.project = confinement(problem, params)
        self.factor = 1 + params.overshoot
        self.adv = x.clone()
        self.status = torch.full((len(x),), int(Status.MAX_ITER), dtype=torch.int64, device=x.device)
        self.steps = torch.zeros_like(self.status)
        self.allowed = candidates(problem, params.candidates)
        self.index, self.count = self.status[:0], self.status[:0]
        self.r, self.known, self.shadow = x[:0], problem.logits[:0], problem.logits[:0]
        rivals = int(self.allowed.sum(1).max()) if len(x) and problem.targets is None else 1
        self.at_once = rivals <= AT_ONCE.get(x.device.type, 32)
        self.places = max(1, problem.batch_size // rivals if self.at_once else problem.batch_size)
        self.next = self.looks = 0
        self.differing = x.new_zeros(())

    def run(self) -> AlgorithmResult:
        """Until no image is left."""
        problem, python = self.problem, self.params.flavour == "python"
        while self._refill():
            point = self._clipped(problem.x[self.index] + self.factor * self.r)
            at = problem.linearise(point) if python and not self.at_once else None
            if at is not None:
                logits = at.logits
            else:  # before the first step they are known
                logits = problem.forward(point) if bool(self.count.any()) else problem.logits[self.index]
            done = self._retire(point, logits)
            if at is None or float(done.float().mean()) > REPACK:
                self._keep(~done)
                if at is not None or not len(self.index):
                    continue
                logits, point, done = logits[~done], point[~done], done[~done]
                if not python:
                    point = problem.x[self.index] + self.r
                at = None if self.at_once else problem.linearise(point)
            self._step(point, at, logits, ~done)
        facts = {"rival_differs": float(self.differing) / self.looks} if self.looks else None
        return AlgorithmResult(self.adv, self.status, self.steps, facts=facts)

    def _refill(self) -> bool:
        """New images into the free places; whether any image is in work."""
        last = min(len(self.problem), self.next + self.places - len(self.index))
        fresh = torch.arange(self.next, last, device=self.index.device)
        if len(fresh):
            self.next = last
            nothing = torch.zeros_like(self.problem.logits[fresh])
            self.index = torch.cat([self.index, fresh])
            self.count = torch.cat([self.count, torch.zeros_like(fresh)])
            self.r = torch.cat([self.r, torch.zeros_like(self.problem.x[fresh])])
            self.known, self.shadow = torch.cat([self.known, nothing]), torch.cat([self.shadow, nothing])
        return len(self.index) > 0

    def _keep(self, rows: Tensor) -> None:
        if not bool(rows.all()):
            self.index, self.count, self.r = self.index[rows], self.count[rows], self.r[rows]
            self.known, self.shadow = self.known[rows], self.shadow[rows]

    def _clipped(self, point: Tensor) -> Tensor:
        return point.clamp(*self.problem.bounds) if self.params.clip == "each" else point

    def _retire(self, point: Tensor, logits: Tensor) -> Tensor:
        """(n,) bool of the images that are finished; what they have become is written down."""
        flipped = self.problem.flipped(logits, self.index)
        broken = ~torch.isfinite(logits).all(1)
        done = flipped | broken | (self.count >= self.params.max_iter)
        status = torch.where(flipped, int(Status.SUCCESS), int(Status.MAX_ITER))
        self._write(done, point, torch.where(broken, int(Status.NONFINITE), status))
        return done

    def _write(self, rows: Tensor, point: Tensor, status: Tensor) -> None:
        where, final = self.index[rows], point[rows]
        self.adv[where] = final if self.params.clip == "none" else final.clamp(*self.problem.bounds)
        self.status[where], self.steps[where] = status[rows], self.count[rows]

    def _step(self, point: Tensor, at: Linearisation | None, logits: Tensor, active: Tensor) -> None:
        """One step of the active images; the others, and those with no boundary in sight, leave."""
        problem, params = self.problem, self.params
        dual = DUAL[params.norm]
        if problem.targets is None:
            reference, allowed = problem.labels[self.index], self.allowed[self.index] & active[:, None]
        else:  # one rival: the boundary between the current class and the target (jetley2018, algorithm 1)
            reference, allowed = logits.argmax(1), torch.zeros_like(logits, dtype=torch.bool)
            allowed.scatter_(1, problem.targets[self.index][:, None], active[:, None])
        if at is None:
            found = nearest_at_once(problem, point, reference, allowed, project=self.project, dual=dual)
        else:
            gaps = (at.logits - at.logits.gather(1, reference[:, None])).abs()
            gradients = Gradients(problem, at, point, reference, project=self.project, dual=dual)
            found = nearest(gaps, allowed, self.known, gradients, exact=params.exact, like=point)
            if params.exact:
                economical = nearest(gaps, allowed, self.shadow, lambda i, k: (self.known[i, k], None), exact=False)
                self.differing += (active & (economical.rival != found.rival)).sum()
                self.looks += int(active.sum())
        going = active & torch.isfinite(found.distance)
        status = torch.where(torch.isnan(found.distance), int(Status.NONFINITE), int(Status.ZERO_GRADIENT))
        self._write(active & ~going, point, status)
        length = found.distance + (NUDGE * problem.extent if params.flavour == "python" else 0.0)
        direction = found.w.sign() if params.norm == "linf" else found.w / found.norm.view(-1, 1, 1, 1)
        self.r = self.r + length.view(-1, 1, 1, 1) * direction
        self.count = self.count + 1
        self._keep(going)
        if params.clip == "each":
            x = problem.x[self.index]
            self.r = (self._clipped(x + self.factor * self.r) - x) / self.factor


DUAL = {"l2": "l2", "linf": "l1"}


def candidates(problem: Problem, count: int) -> Tensor:
    """(N, K) bool: the rivals of each label, all or the `count` with the largest logits at the clean image."""
    logits = problem.logits.scatter(1, problem.labels[:, None], -torch.inf)
    if not count or count >= problem.classes - 1:
        return logits > -torch.inf
    chosen = torch.zeros_like(logits, dtype=torch.bool)
    return chosen.scatter_(1, logits.topk(count, dim=1).indices, True)


def confinement(problem: Problem, params: DeepFool) -> Callable[[Tensor], Tensor]:
    """The orthogonal projection of gradients (n, C, H, W) onto the span of `basis` (D, d), or nothing.

    Raises:
        ValueError: see `deepfool`.
    """
    basis = problem.data.get("basis")
    if basis is None:
        return lambda w: w
    size = problem.x[0].numel() if len(problem) else basis.shape[0]
    if basis.ndim != 2 or basis.shape[0] != size or not 0 < basis.shape[1] <= size:
        raise ValueError(f"basis must be of shape (D, d) with D = {size} and d at most D, got {tuple(basis.shape)}")
    if params.norm != "l2":
        raise ValueError("a basis confines steps in the norm l2 only: set norm=l2")
    if params.clip != "none" or params.refine:
        raise ValueError("clipping would leave the span of the basis: set clip=none and refine=false")
    gram = basis.double().T @ basis.double()
    error = float((gram - torch.eye(len(gram), dtype=gram.dtype, device=gram.device)).abs().max())
    if not error < 1e-3:
        raise ValueError(
            f"the columns of basis must be orthonormal, they are off by {error:.2g}: take torch.linalg.qr of it"
        )
    q = basis.to(problem.x)
    return lambda w: ((w.flatten(1) @ q) @ q.T).view_as(w)
