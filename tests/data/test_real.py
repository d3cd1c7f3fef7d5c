"""The real datasets, where they are to be had: counts, classes and a look at the pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from advlab.config import components
from advlab.data.images import FilePixels, ImageData
from advlab.data.source import LoadOptions
from advlab.store.artifacts import ArtifactStore

Unpack = Callable[[str], Path]


def load(name: str, root: Path, shape: tuple[int, int, int], crop: float = 1.0, /, **keys: Any) -> ImageData:
    options = LoadOptions(
        root, False, ArtifactStore(root / ".cache"), shape, crop, image_memory=0
    )  # decoded when needed
    return components.REGISTRIES["dataset"].load(name)(**keys).load("test", name, options)


def test_mnist(real_data: Unpack) -> None:
    data = load("mnist", real_data("MNIST"), (1, 28, 28))
    assert (len(data), data.shape, len(data.classes)) == (10_000, (1, 28, 28), 10)
    assert torch.bincount(data.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert float(data.mean_image().mean()) == pytest.approx(0.13251, abs=1e-5)
    assert data.labels[:5].tolist() == [7, 2, 1, 0, 4]


def test_gtsrb(real_data: Unpack) -> None:
    data = load("gtsrb", real_data("gtsrb"), (3, 48, 48))
    assert isinstance(data.pixels, FilePixels)
    assert (len(data), data.shape, len(data.classes)) == (12_630, (3, 48, 48), 43)
    assert data.labels.unique().tolist() == list(range(43))
    assert data.labels[:5].tolist() == [16, 1, 38, 33, 11]
    images = data.images(torch.arange(0, 12_630, 500))
    assert images.flatten(1).std(1).min() > 0.005


def test_cifar10_as_a_folder(real_data: Unpack) -> None:
    root = real_data("cifar10-jpeg")
    data = load("folder", root, (3, 32, 32), root=str(root / "cifar10-jpeg"))
    assert (len(data), len(data.classes)) == (10_000, 10)
    assert torch.bincount(data.labels).tolist() == [1000] * 10
    images = data.images(torch.arange(0, 10_000, 40))
    assert float(images.mean()) == pytest.approx(0.473, abs=0.02)


def test_imagenet_samples(real_data: Unpack) -> None:
    root = real_data("imagenet-samples")
    data = load("imagenet", root, (3, 224, 224), 0.875, root=str(root / "imagenet-samples"))
    assert (len(data), len(data.classes)) == (1000, 1000)
    assert data.labels.tolist() == list(range(1000))
    assert data.classes[0] == "n01440764"
    labels = {"root": str(root / "imagenet-samples"), "labels": "imagenet", "label": "samples"}
    named = load("folder", root, (3, 224, 224), 0.875, **labels)
    assert named.labels.tolist() == list(range(1000))
    assert named.classes[:2] == ("tench", "goldfish")
    images = data.images(torch.arange(0, 1000, 100))
    assert images.shape == (10, 3, 224, 224)
    assert float(images.mean()) == pytest.approx(0.45, abs=0.1)
