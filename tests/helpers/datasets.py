"""Every dataset in small, written in its own file format, and how it is loaded."""

from __future__ import annotations

import hashlib
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision
from PIL import Image

from advlab.config import components
from advlab.data.images import ImageData
from advlab.data.source import LoadOptions, Source
from advlab.store.artifacts import ArtifactStore

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
class DatasetCase:
    """How a dataset is made small, and what it must then give."""

    write: Callable[[Path, str, pytest.MonkeyPatch], None]
    shape: tuple[int, int, int]
    classes: int
    train: int = N["train"]
    test: int = N["test"]
    keys: dict[str, Any] = field(default_factory=dict)
    in_files: bool = False  # decoded from image files, so that it may be streamed
    changes: bool = True  # whether a changed copy can be made


DATASET_CASES = {
    "digits": DatasetCase(lambda *_: None, (1, 28, 28), 10, 1437, 360, changes=False),
    "mnist": DatasetCase(lambda root, change, _: write_mnist(root, change, "MNIST"), (1, 28, 28), 10),
    "fashion_mnist": DatasetCase(lambda root, change, _: write_mnist(root, change, "FashionMNIST"), (1, 28, 28), 10),
    "kmnist": DatasetCase(lambda root, change, _: write_mnist(root, change, "KMNIST"), (1, 28, 28), 10),
    "cifar10": DatasetCase(lambda root, change, patch: write_cifar(root, change, "CIFAR10", patch), (3, 32, 32), 10),
    "cifar100": DatasetCase(lambda root, change, patch: write_cifar(root, change, "CIFAR100", patch), (3, 32, 32), 100),
    "gtsrb": DatasetCase(lambda root, change, _: write_gtsrb(root, change), (3, 24, 24), 43, in_files=True),
    "imagenet": DatasetCase(
        lambda root, change, _: write_folders(root / "imagenet", change, 1000, {"test": "val"}),
        (3, 24, 24), 1000, train=0, in_files=True,
    ),
    "folder": DatasetCase(
        lambda root, change, _: write_folders(root / "mine", change, 5, {"train": "train", "test": "test"}),
        (3, 24, 24), 5, keys={"root": "mine"}, in_files=True,
    ),
    PLUGIN: DatasetCase(
        lambda root, change, _: write_plugin(root, change),
        (3, 9, 12), 4, keys={"root": "."},
    ),
}  # fmt: skip


def load_plugin_data(*, split: str, root: str = ".") -> tuple[Array, Array, list[str]]:
    """A user's loader: wide colour images that it finds by its own key."""
    images, labels = drawn(split, (9, 12, 3), 4, (Path(root) / "change").read_text(encoding="utf-8"))
    return images, labels, ["ah", "bee", "sea", "dee"]


@dataclass(frozen=True)
class Bench:
    """Loads one dataset of the table from a folder of this test."""

    name: str
    case: DatasetCase
    root: Path
    patch: pytest.MonkeyPatch

    def load(
        self, split: str = "test", change: str = "", where: str = "data", memory: float = 1.0, **keys: Any
    ) -> ImageData:
        root = self.root / where
        if not root.exists():
            root.mkdir()
            self.case.write(root, change, self.patch)
        own = {key: str(root / value) for key, value in self.case.keys.items()}
        source: Source = components.REGISTRIES["dataset"].load(self.name)(**own, **keys)
        store = ArtifactStore(self.root / "cache")
        options = LoadOptions(root, False, store, model_shape=(3, 24, 24), image_memory=memory)
        return source.load(split, self.name, options)
