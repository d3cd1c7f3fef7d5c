"""The datasets that torchvision reads and downloads."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from advlab.data.content import Arrays, Files, Preprocessing, Shape
from advlab.data.source import LoadOptions, Source
from advlab.errors import DataError

REMEDY = "name the folder that holds it by run.data_root=... (or the environment variable ADVLAB_DATA)"


@dataclass(frozen=True, kw_only=True)
class TorchvisionSource(Source):
    """A dataset that torchvision reads from `run.data_root` and, when allowed, downloads and verifies."""

    torchvision_class: ClassVar[str]
    layout: ClassVar[str]  # what lies below run.data_root, for the message

    def check_files(self, options: LoadOptions) -> None:
        """See `Source.check_files`."""
        # not Path.glob, which raises where a folder's name is too long or its rights are missing
        if not options.download and not glob.glob(os.path.join(glob.escape(str(options.root)), self.layout)):
            raise DataError(f"{self.missing(options)}: {REMEDY}, or allow the download with run.download=true")

    def missing(self, options: LoadOptions, damaged: str = "") -> str:
        """That the dataset is not where it is expected."""
        expected = f"{options.root / self.layout} is expected"
        return f"{self.torchvision_class} is not in {options.root}{damaged} ({expected})"

    def open(self, split: str, options: LoadOptions) -> Any:
        """The torchvision dataset.

        Raises:
            DataError: it is not there and cannot be fetched, or it is damaged.
        """
        from torchvision import datasets  # with torch, which describing a dataset must not wait for

        factory = getattr(datasets, self.torchvision_class)
        choice = {"split": split} if self.torchvision_class == "GTSRB" else {"train": split == "train"}
        try:
            return factory(str(options.root), download=False, **choice)
        except Exception as error:  # torchvision raises many classes for a damaged file
            if not isinstance(error, RuntimeError) or "not found" not in str(error):
                raise DataError(
                    f"{options.root / self.layout} is damaged ({type(error).__name__}: {error}): remove it and let it be "
                    "downloaded again"
                ) from error
            damaged = " or damaged" if "corrupted" in str(error) else ""
            missing = self.missing(options, damaged)
        if not options.download:
            raise DataError(f"{missing}: {REMEDY}, or allow the download with run.download=true")
        try:
            options.root.mkdir(parents=True, exist_ok=True)
            return factory(str(options.root), download=True, **choice)
        except Exception as error:  # network, disk, checksum: torchvision raises many classes
            raise DataError(f"{missing} and could not be downloaded ({error}): {REMEDY}") from error

    def read(self, split: str, name: str, options: LoadOptions) -> Arrays | Files:
        """See `Source.read`."""
        data = self.open(split, options)
        return Arrays(data.classes, data.data, data.targets, self.shape(options.model_shape))


@dataclass(frozen=True, kw_only=True)
class Mnist(TorchvisionSource):
    """MNIST (LeCun et al. 1998): 28x28 grey, 60000 train and 10000 test."""

    native: ClassVar[Shape | None] = (1, 28, 28)
    class_count: ClassVar[int] = 10
    torchvision_class: ClassVar[str] = "MNIST"
    layout: ClassVar[str] = "MNIST/raw/*-ubyte"


@dataclass(frozen=True, kw_only=True)
class FashionMnist(Mnist):
    """Fashion-MNIST (Xiao et al. 2017): 28x28 grey, 60000 train and 10000 test."""

    torchvision_class: ClassVar[str] = "FashionMNIST"
    layout: ClassVar[str] = "FashionMNIST/raw/*-ubyte"


@dataclass(frozen=True, kw_only=True)
class KMnist(Mnist):
    """KMNIST (Clanuwat et al. 2018): 28x28 grey, 60000 train and 10000 test."""

    torchvision_class: ClassVar[str] = "KMNIST"
    layout: ClassVar[str] = "KMNIST/raw/*-ubyte"


@dataclass(frozen=True, kw_only=True)
class Cifar10(TorchvisionSource):
    """CIFAR-10 (Krizhevsky 2009): 32x32 colour, 50000 train and 10000 test."""

    native: ClassVar[Shape | None] = (3, 32, 32)
    class_count: ClassVar[int] = 10
    torchvision_class: ClassVar[str] = "CIFAR10"
    layout: ClassVar[str] = "cifar-10-batches-py"


@dataclass(frozen=True, kw_only=True)
class Cifar100(Cifar10):
    """CIFAR-100 (Krizhevsky 2009): 32x32 colour, 50000 train and 10000 test."""

    class_count: ClassVar[int] = 100
    torchvision_class: ClassVar[str] = "CIFAR100"
    layout: ClassVar[str] = "cifar-100-python"


@dataclass(frozen=True, kw_only=True)
class Gtsrb(TorchvisionSource):
    """GTSRB (Stallkamp et al. 2012): 43 traffic signs, images of varying size, resized to the model's."""

    class_count: ClassVar[int] = 43
    torchvision_class: ClassVar[str] = "GTSRB"
    layout: ClassVar[str] = "gtsrb"

    def read(self, split: str, name: str, options: LoadOptions) -> Files:
        """See `Source.read`."""
        listed = self.open(split, options)._samples
        paths, labels = [Path(path) for path, _ in listed], [label for _, label in listed]
        if split == "train":  # torchvision counts the folders that are there; their names are the classes
            names = [path.parent.name for path in paths]
            if not all(map(str.isdecimal, names)):
                raise DataError(
                    f"{options.root / self.layout} is damaged: its class folders are not called 00000 to 00042"
                )
            labels = [int(class_name) for class_name in names]
        shape = self.shape(options.model_shape or (3, 48, 48))
        classes = [f"{i:05d}" for i in range(43)]
        return Files(classes, options.root / "gtsrb", paths, labels, shape, Preprocessing(1.0, "squash", "bilinear"))
