"""The features of one layer of a network, as a function of images."""

from __future__ import annotations

from torch import Tensor

from advlab.models.classifier import Classifier


def features_of(classifier: Classifier, layer: str, x: Tensor) -> Tensor:
    """(n, R) output Phi_L(x) of a layer for (n, C, H, W) images."""
    return classifier.features(x, layer)[1]
