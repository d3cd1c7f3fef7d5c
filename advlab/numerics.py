"""Softmax probabilities near one, to the last digit."""

from __future__ import annotations

import torch
from torch import Tensor


def complement(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
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
    z = logits.double()
    index = labels.expand(z.shape[:-1])[..., None]
    true = z.gather(-1, index)
    others = (z - true).scatter(-1, index, -torch.inf)
    total = torch.logsumexp(others, -1)  # log of (1 - p) / p
    q = torch.sigmoid(total)
    finite = torch.isfinite(logits).all(-1)
    hit = logits.argmax(-1) == index[..., 0]
    return torch.where(finite, q, torch.nan), hit & finite
