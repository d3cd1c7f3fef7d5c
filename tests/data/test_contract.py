"""One contract for every dataset: what it gives, in which shapes and types, and what its digest stands for."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from advlab import components, plugins
from advlab.artifacts import ArtifactStore
from advlab.data import files
from advlab.data.images import FilePixels, ImageData, fit_tensor
from advlab.data.sources import LoadOptions, Source
from advlab.errors import ConfigError, DataError

Array = np.ndarray[Any, Any]
N = {"train": 23, "test": 17}
PLUGIN = "contract_plugin"


def drawn(split: str, shape: tuple[int, ...], classes: int, change: str) -> tuple[Array, Array]:
    """(N, *shape) uint8 images and (N,) labels, all classes among them; `change` alters one pixel or one label."""
    rng = np.random.default_rng([7, N[split]])
    images = rng.integers(0, 256, (N[split], *shape), dtype=np.uint8)
    labels = rng.permutation(np.arange(N[split]) % classes)
    if change == "pixel":
        images[3].flat[5] ^= 1
    if change == "label":
        labels[4] = (labels[4] + 1) % classes
    return images, labels


def idx(array: Array) -> bytes:
    """An array in the idx format of MNIST: magic number, big-endian sizes, bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_mnist(root: Path, change: str, name: str) -> None:
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images, labels = drawn(split, (28, 28), 10, change)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))


def write_cifar(root: Path, change: str, name: str, patch: pytest.MonkeyPatch) -> None:
    """CIFAR's pickles; only the digests that torchvision compares them with are replaced."""
    dataset: Any = getattr(torchvision.datasets, name)
    classes, key = (10, "labels") if name == "CIFAR10" else (100, "fine_labels")
    folder = root / dataset.base_folder
    folder.mkdir(parents=True)

    def dump(file: str, content: object) -> tuple[str, str]:
        data = pickle.dumps(content)
        (folder / file).write_bytes(data)
        return file, hashlib.md5(data).hexdigest()

    for split, attribute in (("train", "train_list"), ("test", "test_list")):
        images, labels = drawn(split, (3, 32, 32), classes, change)
        lists = getattr(dataset, attribute)
        parts = zip(
            lists,
            np.array_split(images.reshape(len(images), -1), len(lists)),
            np.array_split(labels, len(lists)),
            strict=True,
        )
        written = [dump(file, {"data": x, key: y.tolist()}) for (file, _), x, y in parts]
        patch.setattr(dataset, attribute, written)
    meta = dataset.meta
    _, digest = dump(meta["filename"], {meta["key"]: [f"class {i}" for i in range(classes)]})
    patch.setattr(dataset, "meta", {**meta, "md5": digest})


def write_gtsrb(root: Path, change: str) -> None:
    base = root / "gtsrb" / "GTSRB"
    rows = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for split in N:
        images, labels = drawn(split, (20, 30, 3), 43, change)
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            train = base / "Training" / f"{label:05d}" / f"{i:05d}_00000.ppm"
            path = train if split == "train" else base / "Final_Test" / "Images" / f"{i:05d}.ppm"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
            if split == "test":
                rows.append(f"{i:05d}.ppm;30;20;1;1;2;2;{label}")
    (root / "gtsrb" / "GT-final_test.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_folders(root: Path, change: str, classes: int, splits: dict[str, str]) -> None:
    for split, name in splits.items():
        images, labels = drawn(split, (40, 50, 3), classes, change)
        for label in range(classes):
            (root / name / f"n{label:08d}").mkdir(parents=True, exist_ok=True)
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            Image.fromarray(image).save(root / name / f"n{label:08d}" / f"{i:03d}.png")


def write_plugin(root: Path, change: str) -> None:
    (root / "change").write_text(change, encoding="utf-8")


@dataclass(frozen=True)
class Case:
    """How a dataset is made small, and what it must then give."""

    write: Callable[[Path, str, pytest.MonkeyPatch], None]
    shape: tuple[int, int, int]
    classes: int
    train: int = N["train"]
    test: int = N["test"]
    keys: dict[str, Any] = field(default_factory=dict)
    in_files: bool = False  # decoded from image files, so that it may be streamed
    changes: bool = True  # whether a changed copy can be made


CASES = {
    "digits": Case(lambda *_: None, (1, 28, 28), 10, 1437, 360, changes=False),
    "mnist": Case(lambda root, change, _: write_mnist(root, change, "MNIST"), (1, 28, 28), 10),
    "fashion_mnist": Case(lambda root, change, _: write_mnist(root, change, "FashionMNIST"), (1, 28, 28), 10),
    "kmnist": Case(lambda root, change, _: write_mnist(root, change, "KMNIST"), (1, 28, 28), 10),
    "cifar10": Case(lambda root, change, patch: write_cifar(root, change, "CIFAR10", patch), (3, 32, 32), 10),
    "cifar100": Case(lambda root, change, patch: write_cifar(root, change, "CIFAR100", patch), (3, 32, 32), 100),
    "gtsrb": Case(lambda root, change, _: write_gtsrb(root, change), (3, 24, 24), 43, in_files=True),
    "imagenet": Case(
        lambda root, change, _: write_folders(root / "imagenet", change, 1000, {"test": "val"}),
        (3, 24, 24), 1000, train=0, in_files=True,
    ),
    "folder": Case(
        lambda root, change, _: write_folders(root / "mine", change, 5, {"train": "train", "test": "test"}),
        (3, 24, 24), 5, keys={"root": "mine"}, in_files=True,
    ),
    PLUGIN: Case(
        lambda root, change, _: write_plugin(root, change),
        (3, 9, 12), 4, keys={"root": "."},
    ),
}  # fmt: skip


def load_plugin_data(*, split: str, root: str = ".") -> tuple[Array, Array, list[str]]:
    """A user's loader: wide colour images that it finds by its own key."""
    images, labels = drawn(split, (9, 12, 3), 4, (Path(root) / "change").read_text(encoding="utf-8"))
    return images, labels, ["ah", "bee", "sea", "dee"]


@pytest.fixture(scope="module", autouse=True)
def _plugin() -> Iterator[None]:
    plugins.dataset(PLUGIN)(load_plugin_data)
    yield
    components.DATASETS._targets.pop(PLUGIN)
    plugins._choices.pop(("dataset", PLUGIN))


@dataclass(frozen=True)
class Bench:
    """Loads one dataset of the table from a folder of this test."""

    name: str
    case: Case
    root: Path
    patch: pytest.MonkeyPatch

    def load(self, split: str = "test", change: str = "", where: str = "data", **keys: Any) -> ImageData:
        root = self.root / where
        if not root.exists():
            root.mkdir()
            self.case.write(root, change, self.patch)
        own = {key: str(root / value) for key, value in self.case.keys.items()}
        source: Source = components.DATASETS.load(self.name)(**own, **keys)
        store = ArtifactStore(self.root / "cache")
        return source.load(split, self.name, LoadOptions(root, False, store, model_shape=(3, 24, 24)))


@pytest.fixture(params=CASES)
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(request.param, CASES[request.param], tmp_path, monkeypatch)


def test_every_dataset_is_covered() -> None:
    assert set(components.DATASETS.names()) - {"none"} == set(CASES)


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
        with pytest.raises(DataError, match="holds no folder train"):
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
        found = data.mean_image(batch)
        assert found.dtype == torch.float64
        torch.testing.assert_close(found, brute, rtol=1e-13, atol=1e-14)


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
    bench.patch.setattr(files, "IN_MEMORY", 0)
    streamed = bench.load()
    assert isinstance(kept.pixels, torch.Tensor)
    assert isinstance(streamed.pixels, FilePixels) == bench.case.in_files
    for indices in (torch.arange(len(kept)), torch.tensor([4, 2, 4]), torch.tensor([], dtype=torch.int64)):
        assert torch.equal(kept.bytes(indices), streamed.bytes(indices))
    assert kept.digest == streamed.digest
    torch.testing.assert_close(kept.mean_image(), streamed.mean_image())


def test_bad_values_are_refused(bench: Bench) -> None:
    own = dict.fromkeys(bench.case.keys, ".")
    make = components.DATASETS.load(bench.name)
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
    source = components.DATASETS.load(bench.name)(**own)
    with pytest.raises(DataError, match=r"run\.data_root=|dataset\.root=") as caught:
        source.load("test", bench.name, LoadOptions(empty, False, ArtifactStore(bench.root / "cache"), (3, 24, 24)))
    assert str(empty) in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "empty", "other bytes"])
@pytest.mark.parametrize("name", ["mnist", "cifar10", "gtsrb"])
def test_damaged_files_are_named(name: str, damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(name, CASES[name], tmp_path, monkeypatch)
    bench.load()
    pattern = {"mnist": "t10k-images*", "cifar10": "test_batch", "gtsrb": "00003.ppm"}[name]
    (path,) = (tmp_path / "data").rglob(pattern)
    data = path.read_bytes()
    path.write_bytes({"truncated": data[: len(data) // 2], "empty": b"", "other bytes": gzip.compress(data)}[damage])
    with pytest.raises(DataError, match=r"damaged|corrupt") as caught:
        bench.load()
    assert str(tmp_path / "data") in str(caught.value)
    assert "download=True" not in str(caught.value)  # torchvision's advice names what is no key here


def test_digits_are_split_once_and_for_all() -> None:
    from sklearn.datasets import load_digits

    options = LoadOptions(Path("."), False, ArtifactStore(Path("."), writes=False))
    digits = components.DATASETS.load("digits")()
    train, test = (digits.load(split, "digits", options) for split in ("train", "test"))
    rows = [image.numpy().tobytes() for data in (train, test) for image in data.bytes(torch.arange(len(data)))]
    assert len(set(rows[: len(train)]) & set(rows[len(train) :])) == 0
    bunch = load_digits()
    wanted = fit_tensor(torch.from_numpy(np.rint(bunch.images * 255 / 16).astype(np.uint8))[:, None], (1, 28, 28))
    assert sorted(rows) == sorted(image.numpy().tobytes() for image in wanted)
    assert min(torch.bincount(test.labels, minlength=10).tolist()) > 20
    assert components.DATASETS.load("digits")().load("test", "digits", options).digest == test.digest


def test_a_missing_gtsrb_class_does_not_shift_the_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench("gtsrb", CASES["gtsrb"], tmp_path, monkeypatch)
    before = set(bench.load("train").labels.tolist())
    training = tmp_path / "data" / "gtsrb" / "GTSRB" / "Training"
    shutil.rmtree(training / "00003")
    assert set(bench.load("train").labels.tolist()) == before - {3}
    (training / "00004").rename(training / "stop sign")
    with pytest.raises(DataError, match="its class folders are not called 00000 to 00042"):
        bench.load("train")


def tiny(**changes: Any) -> ImageData:
    pixels = torch.zeros((3, 1, 2, 2), dtype=torch.uint8)
    return replace(
        ImageData("toy", "test", ("a", "b"), torch.tensor([0, 1, 1]), (1, 2, 2), "digest", pixels), **changes
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": torch.tensor([0, 1])}, "3 images but 2 labels"),
        ({"labels": torch.tensor([0, 1, 2])}, "outside of the 2 classes"),
        ({"labels": torch.tensor([0, -1, 1])}, "outside of the 2 classes"),
        ({"pixels": torch.zeros(3, 1, 2, 2)}, "must be uint8"),
        ({"pixels": torch.zeros((3, 3, 2, 2), dtype=torch.uint8)}, r"must be uint8 of shape \(N, 1, 2, 2\)"),
        ({"pixels": torch.zeros((0, 1, 2, 2), dtype=torch.uint8), "labels": torch.zeros(0)}, "holds no images"),
    ],
)
def test_parts_that_do_not_belong_together(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        tiny(**changes)


def test_moving_to_a_device_keeps_the_content() -> None:
    data = tiny()
    moved = data.to(torch.device("cpu"))
    assert torch.equal(moved.bytes(torch.arange(3)), data.bytes(torch.arange(3)))
    assert moved.digest == data.digest


# a user's loader


def from_loader(loader: Callable[..., Any], **keys: Any) -> ImageData:
    from advlab.data.foreign import foreign_source

    options = LoadOptions(Path("."), False, ArtifactStore(Path("."), writes=False), (3, 24, 24))
    return foreign_source("toy", loader)(**keys).load("test", "toy", options)


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 9, 12, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "images",
    [
        IMAGES, IMAGES.transpose(0, 3, 1, 2), IMAGES / 255, (IMAGES / 255).astype(np.float32), torch.from_numpy(IMAGES),
        IMAGES[..., ::-1][..., ::-1], IMAGES[::-1][::-1], list(IMAGES),
    ],
    ids=["NHWC", "NCHW", "float64", "float32", "tensor", "channels turned", "order turned", "list"],
)  # fmt: skip
def test_loaders_may_return_any_of_these(images: Any) -> None:
    data = from_loader(lambda *, split: (images, [0, 1, 0, 1, 0, 1], ["a", "b"]))
    assert torch.equal(data.bytes(torch.arange(6)), torch.from_numpy(IMAGES).permute(0, 3, 1, 2))
    turned = from_loader(lambda *, split: (IMAGES[..., ::-1], np.zeros(6, np.uint8), ["a"]))
    assert torch.equal(turned.bytes(torch.arange(6)), torch.from_numpy(IMAGES).permute(0, 3, 1, 2).flip(1))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ((IMAGES * 1.0, [0] * 6, ["a"]), r"floats in \[0, 1\]"),
        ((IMAGES.astype(np.int64), [0] * 6, ["a"]), r"uint8, or floats in \[0, 1\]"),
        ((np.full((6, 4, 4), np.nan), [0] * 6, ["a"]), "without NaN"),
        ((IMAGES[..., :2], [0] * 6, ["a"]), "1 or 3 channels"),
        ((IMAGES[:0], [], ["a"]), "holds no images"),
        ((IMAGES, [0.5] * 6, ["a"]), "labels must be"),
        ((IMAGES, [0] * 5, ["a"]), "6 images but 5 labels"),
        ((IMAGES, [3] * 6, ["a"]), "outside of the 1 classes"),
        ((IMAGES, [0] * 6), "must return"),
        (([IMAGES[0], IMAGES[1, :4]], [0, 0], ["a"]), "must return"),
    ],
)
def test_loaders_that_return_something_else(returned: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_loader(lambda *, split: returned)


def test_a_loaders_own_keys() -> None:
    def load(*, split: str, count: int = 6) -> Any:
        return IMAGES[:count], [0] * count, ["a"]

    assert len(from_loader(load)) == 6
    assert len(from_loader(load, count=2)) == 2

    def clash(*, split: str, size: int = 6) -> Any:
        return None

    with pytest.raises(ConfigError, match="'size'"):
        from_loader(clash)
