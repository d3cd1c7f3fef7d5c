"""A reject output: what it makes of a network's decision, and logits of the classes alone that decide alike.

A network that rejects gives logits (n, C + 1). It classifies an image as the class with the largest logit, and rejects it where
no class is above the last logit. To fool it, another class must be above both the label and the reject output. So algorithms
are handed C logits in which the label's is the larger of these two: margins, rivals and losses then hold as they stand.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rejected(logits: Tensor) -> Tensor:
    """(n,) bool: whether no class is above the reject output in the logits (n, C + 1).

    >>> rejected(torch.tensor([[1.0, 0.0, 2.0], [1.0, 0.0, 0.5]])).tolist()
    [True, False]
    """
    return logits[:, -1] >= logits[:, :-1].amax(1)


def without_reject(logits: Tensor, own: Tensor | None = None) -> Tensor:
    """(n, C) logits of the classes, that of the class `own` being the larger of its own and the reject output's.

    Args:
        logits: (n, C + 1).
        own: (n,) class that stands for the rejection as well; None: the reject output is left out.

    >>> logits = torch.tensor([[1.0, 1.5, 2.0], [1.0, 1.5, 0.0]])
    >>> without_reject(logits, torch.tensor([0, 0])).tolist()
    [[2.0, 1.5], [1.0, 1.5]]
    """
    classes, reject = logits[:, :-1], logits[:, -1:]
    if own is None:
        return classes
    return classes.scatter(1, own[:, None], torch.maximum(classes.gather(1, own[:, None]), reject))


def own_classes(labels: Tensor, targets: Tensor | None, classes: int) -> Tensor:
    """(n,) the class of each image that stands for a rejection as well: its label, or any class but its target.

    Only a fooling image, which has no label that it must leave, has its target as its label.

    >>> own_classes(torch.tensor([0, 2]), torch.tensor([1, 2]), 3).tolist()
    [0, 0]
    """
    return labels if targets is None else torch.where(labels == targets, (targets + 1) % classes, labels)
