"""Projected gradient ascent of the loss inside an L2 or L-infinity ball (Madry et al. 2018)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from advlab.attacks.ascent.pgd.params import PGD
from advlab.attacks.logits import margin
from advlab.attacks.norms import norms_of_each
from advlab.attacks.problem import Problem
from advlab.attacks.random_numbers import generator, image_keys
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status


def run(problem: Problem, params: PGD) -> AlgorithmResult:
    """Ascend the loss of the label, or descend that of the target; the returned image is the last iterate.

    Of several restarts an image takes the first whose last iterate succeeds, else the one with the largest margin.
    """
    x = problem.x
    adv, steps = x.clone(), torch.zeros(len(x), dtype=torch.int64, device=x.device)
    status = torch.full((len(x),), int(Status.MAX_ITER), dtype=torch.int64, device=x.device)
    if params.epsilon == 0 or not len(x):
        return AlgorithmResult(adv, status, steps)
    largest_margin = torch.full((len(x),), -torch.inf, dtype=x.dtype, device=x.device)
    unsuccessful = torch.arange(len(x), device=x.device)
    for restart in range(params.restarts):
        for index in unsuccessful.split(problem.batch_size):
            last_iterate, status_if_failed = ascend_in_ball(problem, params, index, restart)
            steps[index] += params.steps
            if params.restarts == 1:  # whether it succeeds is seen when the result is classified
                adv[index], status[index] = last_iterate, status_if_failed
                continue
            margins = success_margin(problem, last_iterate, index)
            larger = margins > largest_margin[index] if restart else torch.ones_like(margins, dtype=torch.bool)
            kept = index[larger]
            adv[kept], status[kept] = last_iterate[larger], status_if_failed[larger]
            largest_margin[kept] = margins[larger]
        unsuccessful = unsuccessful[largest_margin[unsuccessful] <= 0]
        if not len(unsuccessful):
            break
    return AlgorithmResult(adv, status, steps)


def success_margin(problem: Problem, adv: Tensor, index: Tensor) -> Tensor:
    """(n,) margins (`logits.margin`) of `adv` (n, C, H, W), made from the images `index` (n,), by a forward."""
    targets = None if problem.targets is None else problem.targets[index]
    return margin(problem.forward(adv, index), problem.labels[index], targets).clone()


def ascend_in_ball(problem: Problem, params: PGD, index: Tensor, restart: int) -> tuple[Tensor, Tensor]:
    """The last iterates (n, C, H, W) of one batch from one start, and the status (n,) of those that are not adversarial.

    One forward and one backward a step for the whole batch; the host never waits for the device.
    """
    x = problem.x[index]
    classes = problem.labels[index] if problem.targets is None else problem.targets[index]
    sign = 1.0 if problem.targets is None else -1.0  # the loss of the label is ascended, that of the target descended
    radius = params.epsilon * problem.extent
    ball = Ball(x, params.norm, radius, problem.bounds)
    adv = x.clone()
    if params.random_start:
        ball.move(adv, random_offsets(problem, params, x, restart), 1.0)
    norms = x.new_ones(len(x))
    finite = norms > 0
    for _ in range(params.steps):
        linearisation = problem.linearise(adv, index)
        cotangent = loss_cotangent(linearisation.logits, classes, params.loss).mul_(sign)
        gradient = linearisation.vjp(cotangent, last=True)
        norms = norms_of_each(gradient, params.norm)
        finite &= torch.isfinite(norms)
        # an image whose gradient vanished or is not finite stays where it is
        usable = (finite & (norms > 0)).to(x)
        if params.norm == "linf":
            gradient = gradient.nan_to_num_(0.0).sign_()
            ball.move(adv, gradient, params.step * radius * usable)
        else:
            gradient.nan_to_num_(0.0, 0.0, 0.0)
            ball.move(adv, gradient, params.step * radius * usable / torch.where(usable > 0, norms, 1.0))
    status = torch.where(norms > 0, int(Status.MAX_ITER), int(Status.ZERO_GRADIENT))
    return adv, torch.where(finite, status, int(Status.NONFINITE))


class Ball:
    """The ball around each of the images `x` (n, C, H, W), cut off at the bounds.

    Args:
        x: (n, C, H, W) centres, inside the bounds.
        norm: linf or l2.
        radius: in the units of the pixels.
        bounds: lowest and highest pixel value.
    """

    def __init__(self, x: Tensor, norm: str, radius: float, bounds: tuple[float, float]) -> None:
        self.x, self.norm, self.radius, self.bounds = x, norm, radius, bounds
        if norm == "linf":
            self.low, self.high = (x - radius).clamp_(min=bounds[0]), (x + radius).clamp_(max=bounds[1])

    def move(self, adv: Tensor, step: Tensor, scale: Tensor | float) -> None:
        """Move `adv` in place by `scale` ((n,) or a number) times `step` (n, C, H, W); back into the ball, then the bounds."""
        factor = scale[:, None, None, None] if isinstance(scale, Tensor) else torch.as_tensor(scale).to(adv)
        adv.addcmul_(step, factor)
        if self.norm == "linf":
            torch.clamp(adv, self.low, self.high, out=adv)
            return
        adv.sub_(self.x)
        shrink = self.radius / norms_of_each(adv, "l2").clamp_(min=self.radius)
        # clipping towards the image, which is inside the bounds, makes the perturbation no longer
        adv.mul_(shrink[:, None, None, None]).add_(self.x).clamp_(*self.bounds)


def loss_cotangent(logits: Tensor, classes: Tensor, loss: str) -> Tensor:
    """(n, K) gradient, with respect to the logits (n, K), of the loss of `classes` (n,), up to a positive factor an image.

    The cross-entropy's is (1 - p) (softmax of the other logits - one-hot). A step is normalised, so that the factor
    1 - p does not matter; without it, the gradient of a confident network neither rounds to zero nor loses the label.

    >>> loss_cotangent(torch.tensor([[9.0, 0.0, 0.0]]), torch.tensor([0]), "cross_entropy").tolist()
    [[-1.0, 0.5, 0.5]]
    >>> loss_cotangent(torch.tensor([[9.0, 0.0, 1.0]]), torch.tensor([0]), "margin").tolist()
    [[-1.0, 0.0, 1.0]]
    """
    own = classes[:, None]
    others = logits.scatter(1, own, -torch.inf)
    if loss == "margin":
        cotangent = torch.zeros_like(logits).scatter_(1, others.argmax(1, keepdim=True), 1.0)
    else:
        cotangent = torch.softmax(others, 1)
    return cotangent.scatter_(1, own, -1.0)


def random_offsets(problem: Problem, params: PGD, x: Tensor, restart: int) -> Tensor:
    """(n, C, H, W) uniform draws from the ball around the origin, in the units of the pixels; device and type are those of `x`.

    A draw is made in float32 and is a function of (seed, image, restart).
    """
    offsets = np.empty((len(x), x[0].numel()), np.float32)
    for row, key in zip(offsets, image_keys("pgd", params.seed, x, problem.bounds), strict=True):
        rng = generator(key, restart)
        if params.norm == "linf":
            rng.random(out=row, dtype=np.float32)
            row *= 2
            row -= 1
        else:
            rng.standard_normal(out=row, dtype=np.float32)
            # a Gaussian vector has a uniform direction, and u^(1/D) is the radius of a uniform point in D dimensions
            row *= rng.random() ** (1 / row.size) / max(float(np.linalg.norm(row)), 1e-30)
    return torch.from_numpy(offsets).view(x.shape).to(x) * (params.epsilon * problem.extent)
