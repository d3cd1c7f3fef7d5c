"""Images along directions, x + w eta inside the bounds, and what the network says of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from advlab.attacks.grey_levels import BELOW_HALF, in_grey_levels
from advlab.attacks.logits import margin, rounding_margin
from advlab.attacks.problem import Problem


@dataclass(frozen=True)
class Rays:
    """Images x + w eta inside the bounds; several rays may start at one image.

    Attributes:
        problem: the images and the network.
        eta: (R, C, H, W) directions, max |eta| = 1.
        image: (R,) int64, the image in `problem.x` at which a ray starts.
        goals: (R,) int64 classes that count as success, or None: any but the label.
        discrete: round to multiples of 1/255 of the bounds' length, after clipping.
        searched: the weights come from a search, which looks at half grey levels; a fixed weight is rounded as it is.
    """

    problem: Problem
    eta: Tensor
    image: Tensor
    goals: Tensor | None
    discrete: bool
    searched: bool = True

    def __len__(self) -> int:
        return len(self.eta)

    def subset(self, rows: Tensor) -> Rays:
        """The rays `rows` (n,) alone."""
        goals = None if self.goals is None else self.goals[rows]
        return Rays(self.problem, self.eta[rows], self.image[rows], goals, self.discrete, self.searched)

    def at(self, rows: Tensor, w: Tensor) -> Tensor:
        """(n, C, H, W) images of the rays `rows` (n,) at the weights `w` (n,), in units of the bounds' length."""
        (low, high), extent = self.problem.bounds, self.problem.extent
        if self.discrete and self.searched:
            w = (w - BELOW_HALF).clamp_min(0)
        weights = (w * extent).to(self.eta)[:, None, None, None]
        x = torch.addcmul(self.problem.x[self.image[rows]], self.eta[rows], weights).clamp_(low, high)
        return in_grey_levels(x, self.problem.bounds) if self.discrete else x

    def margins(self, rows: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Margins and flips, as `judge` gives them, at the weights `w` (n,); only a batch of images exists at a time."""
        size = self.problem.batch_size
        pairs = zip(rows.split(size), w.split(size), strict=True)
        logits = [self.problem.forward(self.at(part, weights), self.image[part]) for part, weights in pairs]
        return self.judge(rows, torch.cat(logits))

    def judge(self, rows: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
        """What logits (n, K) on the rays `rows` (n,) say.

        Returns:
            (n,) float64 margins (see `logits.margin`), NaN where a logit is not finite; and (n,) bool, whether they exceed
            what rounding may change, as `Problem.flipped`.
        """
        image = self.image[rows]
        margins = margin(logits, self.problem.labels[image], None if self.goals is None else self.goals[rows])
        threshold = rounding_margin(logits)
        return torch.where(torch.isnan(threshold), torch.nan, margins).double(), margins > threshold
