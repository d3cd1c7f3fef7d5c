"""One contract for every dataset: what it gives, in which shapes and types, and what its digest stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from advlab.config import components
from advlab.data.images import FilePixels
from advlab.data.source import LoadOptions
from advlab.errors import DataError
from advlab.store.artifacts import ArtifactStore
from tests.helpers.datasets import DATASET_CASES, PLUGIN, Bench, drawn


def test_every_dataset_is_covered() -> None:
    assert set(components.REGISTRIES["dataset"].names()) - {"none"} == set(DATASET_CASES)


def test_shapes_types_and_counts(bench: Bench) -> None:
    data = bench.load()
    assert (data.name, data.split, data.shape, len(data)) == (bench.name, "test", bench.case.shape, bench.case.test)
    assert len(data.classes) == bench.case.classes
    assert all(isinstance(name, str) and name for name in data.classes)
    assert len(set(data.classes)) == len(data.classes)
    assert data.labels.dtype == torch.int64
    assert data.labels.shape == (len(data),)
    images = data.images(torch.arange(len(data)))
    assert images.dtype == torch.float32
    assert images.shape == (len(data), *bench.case.shape)
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.max() > 0.9
    raw = data.bytes(torch.arange(len(data)))
    assert raw.dtype == torch.uint8
    assert torch.equal(images, raw.float() / 255)


def test_images_come_in_the_order_asked_for(bench: Bench) -> None:
    data = bench.load()
    every = data.images(torch.arange(len(data)))
    indices = torch.tensor([5, 0, len(data) - 1, 5])
    assert torch.equal(data.images(indices), every[indices])
    assert not torch.equal(every[5], every[0])
    data.images(indices).zero_()  # what was given may be changed
    assert torch.equal(data.images(torch.arange(len(data))), every)


def test_pixels_and_labels_are_those_that_were_written(bench: Bench) -> None:
    case, data = bench.case, bench.load()
    if not case.changes:
        return
    channels_first = bench.name.startswith("cifar")
    written = {(1, 28, 28): (28, 28), (3, 32, 32): (3, 32, 32), (3, 9, 12): (9, 12, 3)}
    shape = written.get(case.shape, (20, 30, 3) if bench.name == "gtsrb" else (40, 50, 3))
    images, labels = drawn("test", shape, case.classes, "")
    if not case.in_files:
        pixels = torch.from_numpy(images.reshape(len(images), *shape))
        wanted = pixels[:, None] if pixels.ndim == 3 else pixels if channels_first else pixels.permute(0, 3, 1, 2)
        assert torch.equal(data.bytes(torch.arange(len(data))), wanted)
        assert data.labels.tolist() == labels.tolist()
    elif bench.name == "gtsrb":
        assert data.labels.tolist() == labels.tolist()
        resized = Image.fromarray(images[6]).resize((24, 24), Image.Resampling.BILINEAR)
        assert np.array_equal(data.bytes(torch.tensor([6]))[0].permute(1, 2, 0), np.asarray(resized))
    else:  # sorted by class, then by name
        assert data.labels.tolist() == sorted(labels.tolist())


def test_training_split(bench: Bench) -> None:
    case = bench.case
    if not case.train:
        with pytest.raises(DataError, match="holds no folder `train`"):
            bench.load("train")
        return
    train = bench.load("train")
    assert (train.split, len(train), train.shape) == ("train", case.train, case.shape)
    assert train.classes == bench.load("test").classes
    if bench.name == "gtsrb":
        assert sorted(train.labels.tolist()) == sorted(drawn("train", (20, 30, 3), 43, "")[1].tolist())


def test_mean_image_is_the_mean(bench: Bench) -> None:
    data = bench.load()
    brute = data.bytes(torch.arange(len(data))).double().mean(0) / 255
    for batch in (1, 7, 1000):
        mean = data.mean_image(batch)
        assert mean.dtype == torch.float64
        torch.testing.assert_close(mean, brute, rtol=1e-13, atol=1e-14)
    some = torch.tensor([3, 0, 1])
    brute = data.bytes(some).double().mean(0) / 255
    torch.testing.assert_close(data.mean_image(2, some), brute, rtol=1e-13, atol=1e-14)


def test_digest_stands_for_the_content(bench: Bench) -> None:
    first = bench.load()
    assert bench.load().digest == first.digest
    if bench.case.train:
        assert bench.load("train").digest != first.digest
    assert bench.load(channels=4 - first.shape[0]).digest != first.digest
    assert bench.load(size=12).digest != first.digest
    if bench.case.changes:
        assert bench.load(where="copy").digest == first.digest
        digests = {bench.load(change=change, where=change).digest for change in ("pixel", "label")}
        assert len(digests | {first.digest}) == 3


@pytest.mark.parametrize("channels", [1, 3])
def test_size_and_channels(bench: Bench, channels: int) -> None:
    own = bench.load()
    data = bench.load(size=11, channels=channels)
    assert data.shape == (channels, 11, 11)
    assert data.images(torch.tensor([1, 0])).shape == (2, channels, 11, 11)
    assert torch.equal(data.labels, own.labels)
    if channels == 3 and own.shape[0] == 1:
        red, green, blue = data.bytes(torch.arange(len(data))).unbind(1)
        assert torch.equal(red, green)
        assert torch.equal(red, blue)


def test_in_memory_and_streamed_give_the_same(bench: Bench) -> None:
    kept = bench.load()
    streamed = bench.load(memory=0)
    assert isinstance(kept.pixels, torch.Tensor)
    assert isinstance(streamed.pixels, FilePixels) == bench.case.in_files
    for indices in (torch.arange(len(kept)), torch.tensor([4, 2, 4]), torch.tensor([], dtype=torch.int64)):
        assert torch.equal(kept.bytes(indices), streamed.bytes(indices))
    assert kept.digest == streamed.digest
    torch.testing.assert_close(kept.mean_image(), streamed.mean_image())


def test_bad_values_are_refused(bench: Bench) -> None:
    own = dict.fromkeys(bench.case.keys, ".")
    make = components.REGISTRIES["dataset"].load(bench.name)
    for keys, message in (
        ({"size": -1}, "size"),
        ({"channels": 2}, "channels"),
        ({"split": "tset"}, "Did you mean test"),
    ):
        with pytest.raises(ValueError, match=message):
            make(**own, **keys)


def test_missing_data_say_what_to_do(bench: Bench) -> None:
    if bench.name in ("digits", PLUGIN):
        return
    empty = bench.root / "empty"
    empty.mkdir()
    own = {key: str(empty / "nowhere") for key in bench.case.keys}
    source = components.REGISTRIES["dataset"].load(bench.name)(**own)
    with pytest.raises(DataError, match=r"run\.data_root=|dataset\.root=") as caught:
        source.load("test", bench.name, LoadOptions(empty, False, ArtifactStore(bench.root / "cache"), (3, 24, 24)))
    assert str(empty) in str(caught.value)
