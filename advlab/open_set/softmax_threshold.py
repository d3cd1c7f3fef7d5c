"""Rejection by a threshold on the largest softmax probability, the baseline of open set recognition."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def threshold_logits(logits: Tensor, threshold: float) -> Tensor:
    """(n, C + 1) the network's logits (n, C), and one that is the largest where no class's probability is above `threshold`.

    It is log(threshold) + log sum exp of the logits: that of a class with the probability `threshold`.

    >>> logits = torch.tensor([[2.0, 0.0]])  # probabilities .88 and .12
    >>> threshold_logits(logits, 0.8).argmax(1).tolist(), threshold_logits(logits, 0.9).argmax(1).tolist()
    ([0], [2])
    """
    return torch.cat([logits, logits.logsumexp(1, keepdim=True) + math.log(threshold)], 1)


def threshold_at_accuracy(logits: Tensor, labels: Tensor, accuracy: float) -> float:
    """The largest threshold with which at least a share `accuracy` of the images is accepted and classified correctly.

    Args:
        logits: (N, C) of images that belong to the classes.
        labels: (N,) their classes.
        accuracy: between 0 and 1.

    Returns:
        Halfway between the smallest probability of those that are kept and the next one; 0 where the network is not so accurate
        without it.
    """
    confidence, prediction = logits.double().softmax(1).max(1)
    correct = confidence[prediction == labels].sort(descending=True).values
    needed = math.ceil(accuracy * len(labels) - 1e-9)
    if needed > len(correct):
        return 0.0
    ends = torch.cat([correct.new_ones(1), correct, correct.new_zeros(1)])
    return float(ends[needed : needed + 2].mean())
