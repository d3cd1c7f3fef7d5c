"""The cross-entropy and the direction in which it rises, without the cancellation of softmax - one-hot.

The gradient of the cross-entropy with respect to the logits is the sum over j != y of p_j (e_j - e_y). Its usual form,
softmax - one-hot, loses the label's component in float32 where p_y rounds to 1: the gradient of the loss with respect to the
image does not vanish then, but points elsewhere. Here p_j never passes through 1 - p_y. What is only a direction is divided by
1 - p_y, so that float32 backpropagation does not lose it where 1 - p_y is tiny.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def error_log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """(n,) float64 log((1 - p) / p) of the labels' probabilities p, differentiable.

    It rises with the cross-entropy log(1 / p), and its gradient is that of the cross-entropy over 1 - p: an ascent by
    normalised steps goes the same way on either, and this one does not underflow where p is almost 1.

    Args:
        logits: (n, K) of any precision.
        labels: (n,).

    >>> round(float(error_log_odds(torch.tensor([[200.0, 0.0]]), torch.tensor([0]))), 6)
    -200.0
    """
    precise = (logits.cpu() if logits.device.type == "mps" else logits).double()  # MPS has no float64
    label = labels.to(precise.device)[:, None]
    others: Tensor = precise.scatter(1, label, -torch.inf).logsumexp(1)
    return others - precise.gather(1, label)[:, 0]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """(n,) cross-entropy -log softmax(logits)[label] of logits (n, K) and labels (n,), at least in float32.

    Neither the loss nor its gradient rounds to zero where a network is almost certain.

    Examples:
        A logit of 40 against one of 0: log(1 + e^-40), which torch's cross-entropy rounds to 0 in float32.

        >>> f"{cross_entropy(torch.tensor([[40.0, 0.0]]), torch.tensor([0])).item():.4e}"
        '4.2484e-18'
    """
    loss = F.softplus(error_log_odds(logits, labels))
    return loss.to(device=logits.device, dtype=torch.promote_types(logits.dtype, torch.float32))


def cross_entropy_direction(
    logits: Tensor, labels: Tensor, arithmetic: Literal["exact", "float32"] = "exact"
) -> Tensor:
    """(n, K) gradient of the labels' cross-entropy with respect to the logits, up to a positive factor an image.

    Args:
        logits: (n, K).
        labels: (n,).
        arithmetic: exact, the sum over j != y of p_j (e_j - e_y) over 1 - p_y, which is the softmax of the other logits (in
            float64) less the label's one-hot; float32, softmax - one-hot in float32, as Caffe and most published
            code compute it.

    >>> logits, label = torch.tensor([[30.0, 1.0, 1.0]]), torch.tensor([0])
    >>> cross_entropy_direction(logits, label).tolist()
    [[-1.0, 0.5, 0.5]]
    >>> cross_entropy_direction(logits, label, "float32")[0, 0].item()  # p_y rounds to 1: the label's component is lost
    0.0
    """
    label = labels[:, None]
    if arithmetic == "float32":
        probabilities = torch.softmax(logits.float(), 1)
        return probabilities.scatter_add_(1, label, -torch.ones_like(probabilities[:, :1])).to(logits)
    precise = (logits.cpu() if logits.device.type == "mps" else logits).double()
    direction = torch.softmax(precise.scatter(1, label.to(precise.device), -torch.inf), 1).to(logits)
    return direction.scatter_(1, label, -1.0)


def saturated(logits: Tensor, labels: Tensor) -> Tensor:
    """(n,) bool: whether the label's softmax probability is exactly 1 in float32, where softmax - one-hot loses the label.

    >>> saturated(torch.tensor([[30.0, 1.0], [3.0, 1.0]]), torch.tensor([0, 0])).tolist()
    [True, False]
    """
    return torch.softmax(logits.float(), 1).gather(1, labels[:, None])[:, 0] == 1
