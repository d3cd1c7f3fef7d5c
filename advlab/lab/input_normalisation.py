"""The constants by which a training normalises its images; those that take a pass over all files are kept as an artifact."""

from __future__ import annotations

import logging

import torch
from torch import Tensor

from advlab.data.images import ImageData
from advlab.models.classifier import Classifier
from advlab.store.artifacts import Arrays, ArtifactStore
from advlab.training.normalisation import normalisation
from advlab.training.recipe import Recipe

log = logging.getLogger(__name__)


def input_normalisation(
    recipe: Recipe, data: ImageData, artifacts: ArtifactStore, initial: Classifier | None
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation by which images in [0, 1] are normalised: those of `initial`, else what the recipe computes.

    Of images that are decoded whenever they are needed, they are computed once and kept, so that a training that goes on does
    not decode all files before.

    Args:
        recipe: says which they are.
        data: the training split.
        artifacts: keeps them. Of a dry run, which writes none, they are zero and one for files that were not yet decoded.
        initial: the network from which training starts; None: random weights.

    Raises:
        DataError: a file is corrupt (named).
    """
    if initial is not None:
        return initial.mean, initial.std
    if isinstance(data.pixels, Tensor) or recipe.normalise == "caffe":
        return normalisation(recipe, data.pixels)

    def compute() -> tuple[Arrays, dict[str, str]]:
        log.info("decoding the %d images of %s once, for the constants that normalise them", len(data), data.name)
        mean, std = normalisation(recipe, data.pixels)
        return {"mean": mean.numpy(), "std": std.numpy()}, {}

    key = {"version": 1, "data": data.digest, "normalise": recipe.normalise}
    if not artifacts.writes and artifacts.find("normalisation", key) is None:
        return torch.zeros(data.shape[0], 1, 1), torch.ones(data.shape[0], 1, 1)
    arrays = artifacts.get("normalisation", key, compute).arrays
    return torch.from_numpy(arrays["mean"]), torch.from_numpy(arrays["std"])
