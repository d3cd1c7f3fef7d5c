"""Images along directions, x + w eta, and the differences of logits that decide there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from advlab.attacks.logits import rounding_margin
from advlab.attacks.problem import Problem


@dataclass(frozen=True)
class Rays:
    """Images x + w eta inside the bounds, several of which may start at one image.

    Attributes:
        problem: the images and the network.
        eta: (R, C, H, W) directions, max |eta| = 1.
        image: (R,) int64, of which image in `problem.x`.
        goals: (R,) int64 classes that count as success, or None: any but the label.
        discrete: round to multiples of 1/255 of the bounds' length, after clipping.
    """

    problem: Problem
    eta: Tensor
    image: Tensor
    goals: Tensor | None
    discrete: bool

    def __len__(self) -> int:
        return len(self.eta)

    def at(self, rows: Tensor, w: Tensor) -> Tensor:
        """(n, C, H, W) images of the rays `rows` (n,) at the weights `w` (n,), in units of the bounds' length."""
        (low, high), extent = self.problem.bounds, self.problem.extent
        weights = (w * extent).to(self.eta)[:, None, None, None]
        x = torch.addcmul(self.problem.x[self.image[rows]], self.eta[rows], weights).clamp_(low, high)
        if self.discrete:  # multiplied first: k * 255 / 255 is k, and k * 1 / 255 the float nearest to k / 255
            x = x.sub_(low).mul_(255 / extent).round_().mul_(extent).div_(255).add_(low)
        return x

    def logits(self, rows: Tensor, w: Tensor) -> Tensor:
        """(n, K) logits of `at(rows, w)`; no more images than a batch exist at a time."""
        size = self.problem.batch_size
        parts = [self.problem.forward(self.at(r, v)) for r, v in zip(rows.split(size), w.split(size), strict=True)]
        return torch.cat(parts)

    def leads(self, logits: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """By how much the wanted classes lead, from (n, K) logits.

        Returns:
            (n, K - 1): every other class's logit less the label's or, with goals, the goal's less every other class's;
            and (n,) what `margin` of them must exceed, NaN where a logit is not finite.
        """
        own = (self.problem.labels[self.image[rows]] if self.goals is None else self.goals[rows])[:, None]
        others = torch.arange(logits.shape[1] - 1, device=own.device)
        leads = logits.gather(1, others + (others >= own)) - logits.gather(1, own)
        return (leads if self.goals is None else -leads), rounding_margin(logits)

    def best(self, values: Tensor) -> Tensor:
        """(n,) the largest of (n, K - 1) leads, which is the margin (see `problem.margin`); with goals the smallest."""
        return values.amax(1) if self.goals is None else values.amin(1)

    def crossing(self, leads: Tensor, slope: Tensor, turn: Tensor) -> Tensor:
        """(n,) smallest u >= 0 where the margin of the leads + slope u + turn u^2, (n, K - 1) each, is 0; infinite: none."""
        root = (slope**2 - 4 * turn * leads).sqrt()  # NaN: the parabola never gets there
        u = torch.where(slope + root > 0, -2 * leads / (slope + root), torch.inf)
        u = torch.where(leads < 0, u, 0.0)
        return u.amin(1) if self.goals is None else u.amax(1)
