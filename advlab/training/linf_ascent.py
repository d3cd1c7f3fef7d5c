"""Images moved by projected gradient ascent in an L-infinity ball, fast enough for each step of a training."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from advlab.attacks.ascent.ball import Ball
from advlab.metrics.loss_gradient import cross_entropy_direction
from advlab.models.classifier import Classifier
from advlab.models.input_gradient import input_gradient


def ascend_cross_entropy(
    classifier: Classifier, x: Tensor, labels: Tensor, generator: Generator, *, epsilon: float, step: float, steps: int
) -> Tensor:
    """The last iterate of an ascent of the labels' cross-entropy by the signs of its gradient (Madry et al. 2018, section 3).

    It begins at a uniform point of the ball and is put back into the ball and into [0, 1] after each step. One forward and one
    backward a step; the host never waits for the device, and what an image becomes depends on no other image but through its
    random start. The gradient is that of the house (`advlab.metrics.loss_gradient`): its signs are right where the label's
    probability rounds to 1. Where it is zero or not a number the pixel stays.

    Args:
        classifier: takes images in [0, 1]; without gradients of its parameters and in the mode that is wanted.
        x: (N, C, H, W) in [0, 1].
        labels: (N,) int64.
        generator: of the starts, on the device of x.
        epsilon: radius of the ball, as a share of [0, 1].
        step: length of a step, likewise.
        steps: how many.

    Returns:
        (N, C, H, W), detached.
    """
    x = x.detach()
    ball = Ball(x, "linf", epsilon, (0.0, 1.0))
    adv = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    adv = torch.clamp(adv.mul_(2 * epsilon).sub_(epsilon).add_(x), ball.low, ball.high)
    lengths = x.new_full((len(x),), step)
    for _ in range(steps):
        with torch.enable_grad():
            leaf = adv.detach().requires_grad_()
            logits = classifier(leaf)
            gradient = input_gradient(logits, leaf, cross_entropy_direction(logits.detach(), labels))
        adv = adv.detach().clone()
        ball.move(adv, gradient.nan_to_num_(0.0).sign_(), lengths)
    return adv
