"""What the measurements on spheres share: the images of some samples, and the features of a layer."""

from __future__ import annotations

import torch
from torch import Tensor

from advlab.lab import Context
from advlab.models.classifier import Classifier


def images_and_labels(ctx: Context, samples: list[int]) -> tuple[Tensor, Tensor]:
    """(n, C, H, W) images in [0, 1] and (n,) labels of some samples."""
    assert ctx.data is not None
    index = torch.tensor(samples, dtype=torch.int64)
    return ctx.data.images(index), ctx.data.labels[index.to(ctx.data.device)]


def features_of(classifier: Classifier, layer: str, x: Tensor) -> Tensor:
    """(n, R) output Phi_L(x) of a layer."""
    return classifier.features(x, layer)[1]
