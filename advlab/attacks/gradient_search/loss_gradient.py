"""The loss whose gradient FGS and FGV follow."""

from __future__ import annotations

from torch import Tensor

from advlab.attacks.gradient_search.params import LossGradientSearch
from advlab.metrics.loss_gradient import cross_entropy_direction


def first_cotangent(params: LossGradientSearch, logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """(n, K) cotangent of the loss that is to rise, up to a positive factor an image: the direction is scaled anyway."""
    if targets is None:
        return cross_entropy_direction(logits, labels, params.arithmetic)
    return -cross_entropy_direction(logits, targets, params.arithmetic)
