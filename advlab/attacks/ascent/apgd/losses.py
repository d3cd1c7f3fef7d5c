"""The losses that Auto-PGD ascends, and their gradients with respect to the logits (Croce and Hein 2020, section 4)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from advlab.attacks.base import Arithmetic
from advlab.metrics.loss_gradient import cross_entropy_direction, error_log_odds

Loss = Literal["ce", "dlr", "targeted_dlr"]


def ascended(
    logits: Tensor, labels: Tensor, targets: Tensor | None, loss: Loss, arithmetic: Arithmetic
) -> tuple[Tensor, Tensor]:
    """(n,) float64 values that order points as the loss does, and (n, K) its gradient up to a positive factor an image.

    Args:
        logits: (n, K).
        labels: (n,) classes to leave.
        targets: (n,) classes to reach, or None.
        loss: ce, the log odds of the label being wrong, which rise with its cross-entropy; with targets, minus those of
            the target. dlr and targeted_dlr: `ratio`.
        arithmetic: of the gradient of ce.
    """
    if loss == "ce":
        if targets is None:
            return error_log_odds(logits, labels).to(logits.device), cross_entropy_direction(logits, labels, arithmetic)
        return -error_log_odds(logits, targets).to(logits.device), -cross_entropy_direction(logits, targets, arithmetic)
    with torch.enable_grad():
        tracked = (logits.cpu() if logits.device.type == "mps" else logits).detach().double().requires_grad_()
        value = ratio(tracked, labels.to(tracked.device), None if targets is None else targets.to(tracked.device))
        (slope,) = torch.autograd.grad(value.sum(), tracked)
    slope /= slope.abs().amax(1, keepdim=True).clamp_min(torch.finfo(slope.dtype).tiny)
    return value.detach().to(logits.device), slope.to(logits)


def ratio(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """(n,) difference of logits ratio, which neither a shift nor a scale of the logits changes.

    Without targets -(z_y - max_{i != y} z_i) / (z_1 - z_3), and with them -(z_y - z_t) / (z_1 - (z_3 + z_4) / 2), where z_1 is
    the largest logit, z_2 the next (Croce and Hein 2020, eqs 6 and 7).

    >>> logits, label, target = torch.tensor([[5.0, 3.0, 1.0, 0.0]]), torch.tensor([0]), torch.tensor([3])
    >>> ratio(logits, label, None).item(), round(ratio(logits, label, target).item(), 3)
    (-0.5, -1.111)
    """
    own = labels[:, None]
    z_y, z = logits.gather(1, own)[:, 0], logits.sort(1, descending=True).values
    if targets is None:
        difference, spread = logits.scatter(1, own, -torch.inf).amax(1) - z_y, z[:, 0] - z[:, 2]
    else:
        difference, spread = logits.gather(1, targets[:, None])[:, 0] - z_y, z[:, 0] - (z[:, 2] + z[:, 3]) / 2
    return difference / (spread + 1e-12)
