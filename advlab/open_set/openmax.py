"""OpenMax: logits of the classes, and one of being unknown, from a network's logits and how far its features are from each class.

Bendale and Boult 2016, algorithms 1 and 2; as gunther2017 uses it in section 2.3.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from advlab.open_set.mean_activations import Distance, distances_to_means, mean_activations
from advlab.open_set.weibull import WeibullTails, fit_tails

Weighting = Literal["osdn", "cvpr"]
TailOf = Literal["all", "correct"]


class OpenSetModel(NamedTuple):
    """What OpenMax knows of C classes: mean activations and the tails of the distances to them.

    Attributes:
        means: (C, R).
        tails: of the distances of each class's own images.
        distance: which.
    """

    means: Tensor
    tails: WeibullTails
    distance: Distance

    def exceeded(self, features: Tensor) -> Tensor:
        """(n, C) w: for each class the probability that its own images are not so far from its mean as the features (n, R)."""
        return self.tails.exceeded(distances_to_means(features, self.means, self.distance))


def fit_open_set(
    features: Tensor,
    labels: Tensor,
    predictions: Tensor,
    *,
    classes: int,
    tail_size: int,
    distance: Distance = "cosine",
    translation: float = 1.0,
    tail_of: TailOf = "all",
) -> OpenSetModel:
    """Mean activations of the images that are classified correctly, and a Weibull tail of each class's distances.

    Args:
        features: (N, R) activations of training images.
        labels: (N,) true classes.
        predictions: (N,) classes by the network.
        classes: C.
        tail_size: largest distances of a class to which its tail is fitted.
        distance: to the mean.
        translation: T of `fit_tails`.
        tail_of: "all": of all training images (gunther2017, section 2.3); "correct": of those that are classified correctly
            (OSDN's code).

    Raises:
        ArgumentError: activations are NaN or infinite, a class has no image that is classified correctly, or its distances do not
            differ.
    """
    means = mean_activations(features, labels, predictions, classes=classes)
    own = distances_to_means(features.double(), means, distance).gather(1, labels[:, None])[:, 0]
    return OpenSetModel(means, own_tails(own, labels, predictions, classes, tail_size, translation, tail_of), distance)


def own_tails(
    own: Tensor, labels: Tensor, predictions: Tensor, classes: int, tail_size: int, translation: float, tail_of: TailOf
) -> WeibullTails:
    """The tails of (N,) distances of images to the mean of their own class; see `fit_open_set`."""
    counted = torch.ones_like(labels, dtype=torch.bool) if tail_of == "all" else labels == predictions
    by_class = [own[counted & (labels == c)] for c in range(classes)]
    return fit_tails(by_class, tail_size=tail_size, translation=translation)


def rank_weights(logits: Tensor, *, alpha: int, weighting: Weighting = "osdn") -> Tensor:
    """(n, C) omega: how far each class's logit is revised, by its rank among the logits (n, C).

    The class of rank i = 1, ..., alpha has (alpha + 1 - i) / alpha by OSDN's code, and (alpha - i) / alpha by the paper of
    CVPR 2016; the others 0. Of equal logits the class with the smaller index ranks first.

    >>> rank_weights(torch.tensor([[1.0, 3.0, 2.0]]), alpha=2).tolist()
    [[0.0, 1.0, 0.5]]
    >>> rank_weights(torch.tensor([[1.0, 3.0, 2.0]]), alpha=2, weighting="cvpr").tolist()
    [[0.0, 0.5, 0.0]]
    """
    rank = torch.arange(1, logits.shape[1] + 1, device=logits.device)
    weight = (alpha + (weighting == "osdn") - rank).clamp(min=0).to(logits.dtype) / alpha
    order = logits.argsort(dim=1, descending=True, stable=True)
    return torch.zeros_like(logits).scatter(1, order, weight.expand_as(logits))


def openmax_logits(
    logits: Tensor, w: Tensor, *, alpha: int, weighting: Weighting = "osdn", offset: float = 0.0
) -> Tensor:
    """(n, C + 1) revised logits, the last that of being unknown; their softmax is OpenMax's probabilities.

    v^_j = v_j (1 - w_j omega_j) and v_0 = sum of v_j - v^_j (algorithm 2). Softmax does not change when a constant is added to
    all logits; this does.

    Args:
        logits: (n, C) v.
        w: (n, C) as `OpenSetModel.exceeded` gives it.
        alpha: how many of the largest logits are revised.
        weighting: see `rank_weights`.
        offset: added to all logits first.
    """
    v = logits + offset
    taken = v * w.to(v.dtype) * rank_weights(v, alpha=alpha, weighting=weighting)
    return torch.cat([v - taken, taken.sum(1, keepdim=True)], 1)


def rejection_logits(logits: Tensor, w: Tensor, *, reject_at: float) -> Tensor:
    """(n, C + 1) the network's own logits, and one above them exactly where w of the largest is at least `reject_at`.

    Rejection alone (gunther2017, section 2.3: "the input image can be rejected as unknown, or the various class probabilities
    can be recomputed"): no image changes from one class to another.

    Args:
        logits: (n, C).
        w: (n, C) as `OpenSetModel.exceeded` gives it.
        reject_at: between 0 and 1.
    """
    top, index = logits.max(1, keepdim=True)
    return torch.cat([logits, top + (w.to(logits.dtype).gather(1, index) - reject_at)], 1)
