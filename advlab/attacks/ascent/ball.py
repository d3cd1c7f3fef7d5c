"""The ball in which projected gradients ascend, and uniform draws from it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from advlab.attacks.norms import norms_of_each
from advlab.attacks.random_numbers import generator, image_keys


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

    def keep(self, rows: Tensor) -> None:
        """Leave out all images but those that `rows` (n,) bool names."""
        self.x = self.x[rows]
        if self.norm == "linf":
            self.low, self.high = self.low[rows], self.high[rows]

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


def random_offsets(purpose: str, seed: int, x: Tensor, ball: Ball, trial: int) -> Tensor:
    """(n, C, H, W) uniform draws from the ball around the origin, in the units of the pixels; device and type are those of `x`.

    A draw is made in float32 and is a function of (purpose, seed, image, trial).

    Args:
        purpose: name of the attack.
        seed: of the attack.
        x: (n, C, H, W) images.
        ball: its norm, radius and bounds.
        trial: number of the draw.
    """
    offsets = np.empty((len(x), x[0].numel()), np.float32)
    for row, key in zip(offsets, image_keys(purpose, seed, x, ball.bounds), strict=True):
        rng = generator(key, trial)
        if ball.norm == "linf":
            rng.random(out=row, dtype=np.float32)
            row *= 2
            row -= 1
        else:
            rng.standard_normal(out=row, dtype=np.float32)
            # a Gaussian vector has a uniform direction, and u^(1/D) is the radius of a uniform point in D dimensions
            row *= rng.random() ** (1 / row.size) / max(float(np.linalg.norm(row)), 1e-30)
    return torch.from_numpy(offsets).view(x.shape).to(x) * ball.radius
