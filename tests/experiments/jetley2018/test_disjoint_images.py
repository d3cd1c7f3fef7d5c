"""Images of bases and measured images have none in common."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from advlab import testing
from advlab.data.images import ImageData, tensor_digest
from advlab.errors import DataError
from advlab.lab import NetworkContext
from experiments.jetley2018.curvature_stages import measured_samples
from experiments.jetley2018.disjoint_images import images_of_bases, mean_of_bases


def images(count: int, seed: int, split: str) -> ImageData:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 1, 4, 4), dtype=torch.uint8, generator=generator)
    labels = torch.arange(count) % 2
    return ImageData("made", split, ("a", "b"), labels, (1, 4, 4), tensor_digest(pixels, labels), pixels)


def context(train: ImageData | None, measured: ImageData) -> NetworkContext:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2))

    def load_split(name: str) -> ImageData:
        if train is None:
            raise DataError("no folder `train`")
        return train

    ctx: NetworkContext = testing.context("isotropy", network, measured, samples=[0])
    return replace(ctx, load_split=load_split)


def test_bases_come_from_the_training_split() -> None:
    train, measured = images(10, 0, "train"), images(6, 1, "test")
    ctx = context(train, measured)
    data, samples = images_of_bases(ctx, 4)
    assert data.digest == train.digest
    assert len(set(samples)) == 4
    assert sorted(measured_samples(ctx, 99)) == list(range(6))
    assert torch.allclose(mean_of_bases(ctx, samples), train.images(torch.arange(10)).double().mean(0), atol=1e-7)


@pytest.mark.parametrize("train", ["none", "same images", "train is measured"])
def test_otherwise_each_has_its_half(train: str) -> None:
    measured = images(7, 1, "train" if train == "train is measured" else "test")
    ctx = context({"same images": measured}.get(train), measured)
    data, samples = images_of_bases(ctx, 99)
    assert data.digest == measured.digest
    assert sorted(samples + measured_samples(ctx, 99)) == list(range(7))
    assert images_of_bases(ctx, 2)[1] == samples[:2]
    expected = measured.images(torch.tensor(samples)).double().mean(0)
    assert torch.allclose(mean_of_bases(ctx, samples), expected, atol=1e-7)
