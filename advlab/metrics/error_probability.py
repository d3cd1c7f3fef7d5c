"""Softmax probabilities near one, to the last digit."""

from __future__ import annotations

import torch
from torch import Tensor


def error_probability(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """1 - p of the true class, and whether it is the argmax.

    Scores sit within 1e-2 of 1 and differ down to 1e-9, so 1 - p is the sum of the others' probabilities, computed in
    float64 from the logits: subtracting p from 1 would lose it.

    Args:
        logits: (..., K).
        labels: (...,) int64, broadcastable to the logits' leading shape.

    Returns:
        (...,) float64 of 1 - p (NaN where a logit is not finite), and (...,) bool.
    """
    if logits.device.type == "mps":  # it has no float64
        logits, labels = logits.cpu(), labels.cpu()
    z = logits.double() if logits.dtype != torch.float64 else logits.clone()  # in place from here: fresh memory is slow
    index = labels.expand(z.shape[:-1])[..., None]
    hit = logits.argmax(-1) == index[..., 0]
    z.sub_(z.gather(-1, index))
    finite = torch.isfinite(z.sum(-1))  # differences of finite float32 are finite in float64
    z.scatter_(-1, index, -torch.inf)
    q = torch.logsumexp(z, -1).sigmoid()  # of the log of (1 - p) / p
    return torch.where(finite, q, torch.nan), hit & finite
