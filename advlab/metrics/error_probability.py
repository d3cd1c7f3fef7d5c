"""The softmax probability of an error, 1 - p, to full precision where p is almost 1."""

from __future__ import annotations

import torch
from torch import Tensor


def error_probability(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """1 - p of the true class, and whether the true class has the largest logit.

    Scores p lie within 1e-2 of 1 and differ by as little as 1e-9, which subtracting p from 1 would round away. So 1 - p is
    computed as the sum of the other classes' probabilities, in float64 from the logits.

    Args:
        logits: (..., K).
        labels: (...,) int64, broadcastable to the logits' leading shape.

    Returns:
        (...,) float64 of 1 - p, NaN where a logit is not finite; and (...,) bool, False where a logit is not finite.

    Examples:
        Two classes, whose logits differ by 50: p rounds to 1, 1 - p = 1 / (1 + e^50) does not round to 0.

        >>> q, correct = error_probability(torch.tensor([[50.0, 0.0]]), torch.tensor([0]))
        >>> f"{q.item():.10e}", correct.tolist()
        ('1.9287498480e-22', [True])
    """
    if logits.device.type == "mps":  # it has no float64
        logits, labels = logits.cpu(), labels.cpu()
    z = logits.double() if logits.dtype != torch.float64 else logits.clone()  # a copy, changed in place: faster
    index = labels.expand(z.shape[:-1])[..., None]
    correct = logits.argmax(-1) == index[..., 0]
    z.sub_(z.gather(-1, index))
    finite = torch.isfinite(z.sum(-1))  # differences of finite float32 values are finite in float64
    z.scatter_(-1, index, -torch.inf)
    q = torch.logsumexp(z, -1).sigmoid()  # logsumexp gives log((1 - p) / p)
    return torch.where(finite, q, torch.nan), correct & finite
