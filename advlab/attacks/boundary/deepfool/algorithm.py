"""DeepFool: untargeted, targeted or confined to a subspace, in a batch whose finished images make room for new ones."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.attacks.boundary.deepfool.discrete import along_perturbations
from advlab.attacks.boundary.deepfool.params import DeepFool
from advlab.attacks.boundary.deepfool.refinement import refine
from advlab.attacks.boundary.deepfool.rival_search import choose_search
from advlab.attacks.boundary.deepfool.subspace import projection
from advlab.attacks.network import Linearisation
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status

EXTRA_LENGTH = 1e-4  # added to each step by the Python flavour, in units of the bounds' length
REPACKED_SHARE = 0.25  # a batch with a larger share of finished images is filled up before the next step


def run(problem: Problem, params: DeepFool) -> AlgorithmResult:
    """Step to the nearest linearised boundary until the class changes (Moosavi-Dezfooli et al. 2016, algorithms 1 and 2).

    Each step costs one forward, which tells whether an image is finished and linearises the network there where it is not
    (two in the flavour matlab), and the gradients that the search of the nearest boundary asks for. What is returned is
    classified once more after the last step.

    With `exact`, `facts["rival_differs"]` is the share of steps at which the economical search, taking the same steps,
    would have chosen another rival. It is missing where all rivals are looked at in one batch.

    Raises:
        ArgumentError: a basis of the wrong shape, that is not orthonormal, or together with clipping or another norm.
    """
    result = BatchedDeepFool(problem, params).run()
    result = refine(problem, params, result) if params.refine else result
    return along_perturbations(problem, result) if params.discrete else result


class BatchedDeepFool:
    """DeepFool's steps on all N images of a problem, of which n at a time form a batch; the others wait for a place in it.

    Attributes:
        image: (n,) which image of the problem each row of the batch is.
        perturbation: (n, C, H, W) the sum of the row's steps, without the overshoot.
        steps_taken: (n,) steps of the row so far.
        former_logits: (n, K) at the row's step before, NaN at its first.
        extra_length: (n,) what is added to a step's length.
        adv, status, steps: the results, for all N images.
    """

    def __init__(self, problem: Problem, params: DeepFool) -> None:
        self.problem, self.params = problem, params
        x = problem.x
        self.adv = x.clone()
        self.status = torch.full((len(x),), int(Status.MAX_ITER), dtype=torch.int64, device=x.device)
        self.steps = torch.zeros_like(self.status)
        self.rivals = rivals_of_labels(problem, params.candidates)
        most_rivals = int(self.rivals.sum(1).max()) if len(x) and problem.targets is None else 1
        self.search = choose_search(problem, params, projection(problem, params), most_rivals)
        self.image, self.steps_taken, self.perturbation = self.status[:0], self.status[:0], x[:0]
        self.former_logits, self.extra_length = problem.logits[:0], x.new_empty(0)
        self.next_image, self.moved = 0, False  # moved: a row of the batch has made a step
        self.lengthening = 1 + params.overshoot

    def run(self) -> AlgorithmResult:
        """Step until no image is left."""
        shared = self.params.flavour == "python" and self.search.uses_linearisation
        advance = self._advance_by_one_forward if shared else self._advance_by_two_forwards
        while self._fill_places():
            advance()
        return AlgorithmResult(self.adv, self.status, self.steps, facts=self.search.facts())

    def _fill_places(self) -> bool:
        """Take waiting images into the free places of the batch; gives whether any image is in work."""
        self.moved = self.moved and len(self.image) > 0
        last = min(len(self.problem), self.next_image + self.search.batch_size - len(self.image))
        new = torch.arange(self.next_image, last, device=self.image.device)
        if len(new):
            self.next_image = last
            self.image = torch.cat([self.image, new])
            self.steps_taken = torch.cat([self.steps_taken, torch.zeros_like(new)])
            self.perturbation = torch.cat([self.perturbation, torch.zeros_like(self.problem.x[new])])
            unknown = torch.full_like(self.problem.logits[new], torch.nan)
            self.former_logits = torch.cat([self.former_logits, unknown])
            self.extra_length = torch.cat([self.extra_length, self.extra_length.new_zeros(len(new))])
        return len(self.image) > 0

    def _advance_by_one_forward(self) -> None:
        """Classify and linearise the lengthened images by the same forward; step, unless too many are finished."""
        point = self._lengthened()
        linearisation = self.problem.linearise(point, self.image)
        finished, active = self._write_finished(point, linearisation.logits)
        if len(active) < (1 - REPACKED_SHARE) * len(finished):
            self._keep(active)
        else:
            self._step(point, linearisation.logits, ~finished, linearisation)

    def _advance_by_two_forwards(self) -> None:
        """Classify the lengthened images; step where they are not finished, from these or, in the flavour matlab, from x + r."""
        point = self._lengthened()
        # before any step the logits are those of the images themselves
        logits = self.problem.forward(point, self.image) if self.moved else self.problem.logits[self.image]
        _, active = self._write_finished(point, logits)
        self._keep(active)
        if not len(self.image):
            return
        matlab = self.params.flavour == "matlab"
        start = self.problem.x[self.image] + self.perturbation if matlab else point[active]
        self._step(start, logits[active], torch.ones_like(self.image, dtype=torch.bool))

    def _lengthened(self) -> Tensor:
        """(n, C, H, W) x + (1 + overshoot) r of the rows, clipped if every step is."""
        return self._clipped(self.problem.x[self.image] + self.lengthening * self.perturbation)

    def _clipped(self, point: Tensor) -> Tensor:
        return point.clamp(*self.problem.bounds) if self.params.clip == "each" else point

    def _write_finished(self, point: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Write the results of rows that are adversarial, not finite or out of steps; gives these (n,) bool, and the other rows."""
        flipped = self.problem.flipped(logits, self.image)
        broken = ~torch.isfinite(logits).all(1)
        finished = flipped | broken | (self.steps_taken >= self.params.max_iter)
        status = torch.where(flipped, int(Status.SUCCESS), int(Status.MAX_ITER))
        rows, others = divided_rows(finished)
        self._write(rows, point, torch.where(broken, int(Status.NONFINITE), status))
        return finished, others

    def _write(self, rows: Tensor, point: Tensor, status: Tensor) -> None:
        """Write the results of the rows (m,)."""
        if len(rows):
            image, final = self.image[rows], point[rows]
            self.adv[image] = final if self.params.clip == "none" else final.clamp(*self.problem.bounds)
            self.status[image], self.steps[image] = status[rows], self.steps_taken[rows]

    def _keep(self, rows: Tensor) -> None:
        """Drop all rows but these (m,), which ascend."""
        if len(rows) < len(self.image):
            self.image, self.steps_taken = self.image[rows], self.steps_taken[rows]
            self.perturbation = self.perturbation[rows]
            self.former_logits, self.extra_length = self.former_logits[rows], self.extra_length[rows]

    def _step(self, point: Tensor, logits: Tensor, active: Tensor, linearisation: Linearisation | None = None) -> None:
        """One step of the rows `active` (n,) bool; the other rows, and those with no boundary in sight, leave the batch.

        Args:
            point: (n, C, H, W) where the network is linearised.
            logits: (n, K) that tell the current classes of the rows.
            active: (n,) bool.
            linearisation: of the network at `point`, if there is one already.
        """
        problem, params = self.problem, self.params
        reference, allowed = self._reference_and_rivals(logits, active)
        boundary = self.search.nearest(self.image, point, reference, allowed, linearisation)
        moving = active & torch.isfinite(boundary.distance)
        status = torch.where(torch.isnan(boundary.distance), int(Status.NONFINITE), int(Status.ZERO_GRADIENT))
        kept, others = divided_rows(moving)
        self._write(others[active[others]] if len(others) else others, point, status)
        length = boundary.distance + self._extra_length(logits)
        if params.norm == "linf":
            direction = boundary.gradient.sign()
        else:
            direction = boundary.gradient / boundary.gradient_norm.view(-1, 1, 1, 1)
        self.perturbation = self.perturbation + length.view(-1, 1, 1, 1) * direction
        self.steps_taken = self.steps_taken + 1
        self._keep(kept)
        self.moved = True
        if params.clip == "each":  # what clipping takes away is no part of the perturbation
            x = problem.x[self.image]
            self.perturbation = (self._lengthened() - x) / self.lengthening

    def _extra_length(self, logits: Tensor) -> Tensor:
        """(n,) what is added to each row's step; it doubles while steps do not change the logits (n, K), as in half precision."""
        extent = EXTRA_LENGTH * self.problem.extent
        stalled = (logits == self.former_logits).all(1)
        usual = extent if self.params.flavour == "python" else 0.0
        self.extra_length = torch.where(stalled, (2 * self.extra_length).clamp_min(extent), usual)
        self.former_logits = logits
        return self.extra_length

    def _reference_and_rivals(self, logits: Tensor, active: Tensor) -> tuple[Tensor, Tensor]:
        """(n,) class that each row is to leave, and (n, K) bool the classes that it may go to; none where not `active`."""
        targets = self.problem.targets
        if targets is None:
            return self.problem.labels[self.image], self.rivals[self.image] & active[:, None]
        # the boundary between the current class and the target (jetley2018, algorithm 1)
        allowed = torch.zeros_like(logits, dtype=torch.bool)
        return logits.argmax(1), allowed.scatter_(1, targets[self.image][:, None], active[:, None])


def divided_rows(chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The rows that are chosen (n,) bool, and the others, each ascending; the host waits for a device once."""
    order, count = chosen.to(torch.int8).argsort(descending=True, stable=True), int(chosen.sum())
    return order[:count], order[count:]


def rivals_of_labels(problem: Problem, count: int) -> Tensor:
    """(N, K) bool: the rivals of each label, all (`count` 0) or the `count` with the largest logits at the image itself."""
    logits = problem.logits.scatter(1, problem.labels[:, None], -torch.inf)
    if not count or count >= problem.classes - 1:
        return logits > -torch.inf
    chosen = torch.zeros_like(logits, dtype=torch.bool)
    return chosen.scatter_(1, logits.topk(count, dim=1).indices, True)
