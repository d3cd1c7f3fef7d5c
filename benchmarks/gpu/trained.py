"""A small network that every step can have within seconds and offline: LeNet, trained on the embedded digits on the CPU."""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from torch import Tensor

from advlab.data.digits import Digits
from advlab.data.images import ImageData, data_from_arrays
from advlab.data.source import LoadOptions
from advlab.models.classifier import Classifier
from advlab.models.networks.lenet import LeNet
from advlab.store.artifacts import ArtifactStore
from advlab.training.loop import train
from advlab.training.recipe import Recipe

SHAPE = (1, 28, 28)


def digits(split: str) -> ImageData:
    """The embedded digits at 28x28, on the CPU."""
    nothing = ArtifactStore(Path(), writes=False)
    options = LoadOptions(root=Path(), download=False, artifacts=nothing, model_shape=SHAPE)
    return data_from_arrays("digits", split, Digits().read(split, "digits", options))


def small_lenet() -> LeNet:
    """A LeNet with the random weights of seed 0."""
    torch.manual_seed(0)
    return LeNet(input_shape=SHAPE, classes=10, hidden=100)


@functools.cache
def trained_lenet() -> tuple[Classifier, Tensor, Tensor]:
    """The classifier, and the (n, 1, 28, 28) test images in [0, 1] with (n,) labels that it classifies correctly."""
    training, test, network = digits("train"), digits("test"), small_lenet()
    mean, std = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    recipe = Recipe(name="gpu", epochs=3, batch_size=64, lr=0.03)
    assert isinstance(training.pixels, Tensor)
    train(network, training.pixels, training.labels, recipe, mean=mean, std=std, device="cpu", seed=0)
    classifier = Classifier(network, name="lenet", shape=SHAPE, mean=mean, std=std).eval()
    x = test.images(torch.arange(len(test)))
    with torch.no_grad():
        correct = classifier(x).argmax(1) == test.labels
    return classifier, x[correct], test.labels[correct]
