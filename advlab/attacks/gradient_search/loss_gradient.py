"""The loss whose gradient FGS and FGV follow."""

from __future__ import annotations

from torch import Tensor

from advlab.attacks.logits import cross_entropy_cotangent


def first_cotangent(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """(n, K) cotangent of the loss that is to rise, in the images' own precision.

    Where the label's probability is 1 to the last digit the gradient may vanish; that is counted, not mended, because the
    success rates of gunther2017 (table 1) contain it.
    """
    return cross_entropy_cotangent(logits, labels) if targets is None else -cross_entropy_cotangent(logits, targets)
