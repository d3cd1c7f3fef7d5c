"""J of the L-BFGS attack and its gradient with respect to the logits (Szegedy et al. 2014, section 4.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.metrics.loss_gradient import cross_entropy_direction, error_log_odds


def objective(logits: Tensor, classes: Tensor, targeted: bool, toward_others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """J (n,), its gradient with respect to the logits (n, K), and the factor (n,) that makes it the gradient of log p.

    Targeted, J is -log p of the target. Otherwise it is log p of the label, or -log(1 - p) where `toward_others` (n,). These
    two have gradients of the same direction, (1 - p) d and p d with d = one-hot - softmax of the other logits.

    Args:
        logits: (n, K).
        classes: (n,) targets or labels.
        targeted: whether they are targets.
        toward_others: (n,) bool.

    >>> logits, label, toward_others = torch.zeros(1, 2), torch.tensor([0]), torch.tensor([False])
    >>> J, gradient, _ = objective(logits, label, False, toward_others)  # log p, with p = 1/2
    >>> round(float(J), 3), gradient.tolist()
    (-0.693, [[0.5, -0.5]])
    """
    log_odds_of_others = error_log_odds(logits, classes).to(logits)
    direction = -cross_entropy_direction(logits, classes)
    softplus, sigmoid = torch.nn.functional.softplus, torch.sigmoid
    log_p, log_1_minus_p = -softplus(log_odds_of_others), -softplus(-log_odds_of_others)
    p, one_minus_p = sigmoid(-log_odds_of_others), sigmoid(log_odds_of_others)
    one = torch.ones_like(p)
    if targeted:
        return -log_p, -one_minus_p[:, None] * direction, one
    loss = torch.where(toward_others, -log_1_minus_p, log_p)
    factor = torch.where(toward_others, p, one_minus_p)
    ratio = torch.where(toward_others, one_minus_p / p.clamp(min=torch.finfo(p.dtype).tiny), one)
    return loss, factor[:, None] * direction, ratio
