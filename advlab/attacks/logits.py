"""What logits say of an attack: by how much it has succeeded, and what rounding may change."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.errors import ArgumentError
from advlab.models.classifier import in_full_precision

ROUNDING = 32.0  # units in the last place by which logits may differ from batch to batch


def as_logits(output: object, n: int) -> Tensor:
    """What a model gives for n images, checked to be logits (n, K) of at least two classes; half precision as float32.

    Raises:
        ArgumentError: says what it gives instead.

    >>> as_logits(torch.zeros(5, 3), 2)
    Traceback (most recent call last):
    advlab.errors.ArgumentError: the model must give logits of shape (N, classes), it gives (5, 3) for 2 images
    """
    if not isinstance(output, Tensor):
        raise ArgumentError(
            f"the model must give logits, a tensor of shape (N, classes), it gives a {type(output).__name__}"
        )
    if output.ndim != 2 or len(output) != n or output.shape[1] < 2:
        raise ArgumentError(
            f"the model must give logits of shape (N, classes), it gives {tuple(output.shape)} for {n} images"
        )
    return in_full_precision(output)


def rounding_margin(logits: Tensor) -> Tensor:
    """(n,) size below which a margin may have the other sign in another batch; NaN where a logit is not finite.

    Sums of a network's layers depend on the batch in their last bits. Attacks call an image adversarial only if its margin
    is larger than this.

    >>> bool(rounding_margin(torch.tensor([[8.0, 2.0]])) < 1e-4)
    True
    """
    threshold = logits.abs().amax(1) * (ROUNDING * torch.finfo(logits.dtype).eps)
    return torch.where(torch.isfinite(logits).all(1), threshold, torch.nan)


def margin(logits: Tensor, labels: Tensor, targets: Tensor | None) -> Tensor:
    """(n,) by how much an attack has succeeded, in logits; it has where this is above 0.

    Untargeted: the largest logit of another class minus the label's. Targeted: the target's logit minus the largest of
    another class. A tie is no success. NaN or infinite logits give -inf.

    Args:
        logits: (n, K).
        labels: (n,) classes to leave.
        targets: (n,) classes to reach, or None: any but the label.

    >>> logits, labels = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]]), torch.tensor([0, 0])
    >>> margin(logits, labels, None).tolist(), margin(logits, labels, torch.tensor([2, 2])).tolist()
    ([-2.0, 2.0], [-3.0, -1.0])
    """
    own_class = (labels if targets is None else targets)[:, None]
    own = logits.gather(1, own_class)[:, 0]
    others = logits.scatter(1, own_class, -torch.inf).amax(1)
    value = others - own if targets is None else own - others
    return torch.where(torch.isfinite(logits).all(1), value, -torch.inf)
