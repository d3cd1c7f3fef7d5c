"""Mean activation vectors of classes (MAV), and how far activations are from them (Bendale and Boult 2016, section 2)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from advlab.errors import ArgumentError

Distance = Literal["cosine", "euclidean", "eucos"]
EUCLIDEAN_UNIT = 200.0  # of eucos in OSDN's code: Euclidean distance / 200 + cosine distance


def mean_activations(features: Tensor, labels: Tensor, predictions: Tensor, *, classes: int) -> Tensor:
    """(C, R) float64 mean of the features (N, R) of each class's images that are classified correctly.

    Args:
        features: activations of training images.
        labels: (N,) true classes.
        predictions: (N,) classes by the network.
        classes: C.

    Raises:
        ArgumentError: activations are NaN or infinite, or no image of a class is classified correctly.
    """
    if unknown := int((~features.isfinite()).any(1).sum()):
        raise ArgumentError(
            f"the network's activations of {unknown} of {len(features)} training images are NaN or infinite, so that nothing can "
            "be said of distances to their mean: check its weights (a training that diverged leaves such), or take another layer"
        )
    correct = labels == predictions
    members = torch.nn.functional.one_hot(labels[correct], classes).to(torch.float64)
    counts = members.sum(0)
    if not bool((counts > 0).all()):
        empty = (counts == 0).nonzero()[:, 0].tolist()
        raise ArgumentError(
            f"no training image of the classes {empty[:9]} is classified correctly, so that they have no mean activations: "
            "take a network that is trained on them"
        )
    return members.T @ features[correct].double() / counts[:, None]


def distances_to_means(features: Tensor, means: Tensor, distance: Distance = "cosine") -> Tensor:
    """(n, C) distances of features (n, R) to the means (C, R), in the features' precision; differentiable.

    They are computed in float64 where the device has it: 1 - cosine loses half of float32's digits near a mean. A feature of
    zeros is at the cosine distance 1, and so is every feature from a mean of zeros.

    Args:
        features: activations.
        means: of each class.
        distance: cosine, euclidean, or eucos: cosine + euclidean / 200.
    """
    wide = torch.float32 if features.device.type == "mps" else torch.float64
    vectors, centres = features.to(wide), means.to(wide)
    total = torch.zeros((len(vectors), len(centres)), dtype=wide, device=features.device)
    products = vectors @ centres.T
    if distance != "euclidean":
        tiny = torch.finfo(wide).tiny
        lengths = vectors.norm(dim=1, keepdim=True).clamp(min=tiny) * centres.norm(dim=1).clamp(min=tiny)
        total = total + 1 - products / lengths.clamp(min=tiny)
    if distance != "cosine":
        squares = vectors.square().sum(1, keepdim=True) - 2 * products + centres.square().sum(1)
        euclidean = squares.clamp(min=torch.finfo(wide).eps).sqrt()
        total = total + (euclidean if distance == "euclidean" else euclidean / EUCLIDEAN_UNIT)
    return total.to(features.dtype)
