"""The datasets that a configuration can name, as parameters; torch is imported only when one is loaded."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from advlab.errors import DataError, suggest

if TYPE_CHECKING:
    from advlab.artifacts import ArtifactStore
    from advlab.data.images import ImageData

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class LoadOptions:
    """Where data lie and how they are wanted: the run's side of loading."""

    root: Path  # run.data_root
    download: bool
    artifacts: ArtifactStore
    model_shape: Shape | None = None  # the model's input, for datasets without a size of their own
    model_crop: float = 1.0  # the model's share of the shorter side
    model_resample: str = "bilinear"  # the model's interpolation


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """A dataset: parameters common to all.

    Attributes:
        size: height and width in pixels; 0: the dataset's own, or the model's where the dataset has none.
        channels: 1 or 3; 0: the dataset's own, or the model's where the dataset has none.
        split: the split that is measured; training always uses `train`.
    """

    size: int = 0
    channels: int = 0
    split: str = "test"

    native: ClassVar[Shape | None] = None
    class_count: ClassVar[int] = 0  # 0: known after loading
    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the field.
        """
        if self.size < 0 or self.size > 4096:
            raise ValueError(f"size must be 0 (its own, or the model's) to 4096 pixels, got {self.size}")
        if self.channels not in (0, 1, 3):
            raise ValueError(f"channels must be 0 (its own, or the model's), 1 or 3, got {self.channels}")
        if self.split not in self.splits:
            raise ValueError(f"there is no split {self.split!r}. {suggest(self.split, self.splits)}")

    def shape(self, model_shape: Shape | None) -> Shape:
        """(C, H, W) of the images for a model that takes `model_shape`.

        Raises:
            DataError: neither dataset nor model has a size.
        """
        own = self.native or model_shape
        if own is None and not (self.size and self.channels):
            raise DataError(
                "neither the dataset nor the model has an image size: type dataset.size=... dataset.channels=..."
            )
        channels, height, width = own or (0, 0, 0)
        return self.channels or channels, self.size or height, self.size or width

    @abstractmethod
    def load(self, split: str, name: str, options: LoadOptions) -> ImageData:
        """Load one split under the name that seeds and output paths carry.

        Raises:
            DataError: the data are missing (the message says how to get them) or damaged.
        """

    def image_data(
        self, name: str, split: str, classes: Any, pixels: Any, labels: Any, options: LoadOptions
    ) -> ImageData:
        """Wrap arrays: `pixels` (N, H, W) or (N, H, W, C) uint8, `labels` (N,)."""
        import numpy as np
        import torch

        from advlab.data.images import ImageData, fit_tensor, tensor_digest

        tensor = torch.from_numpy(np.array(pixels, dtype=np.uint8))  # a copy: strides may be negative, arrays read-only
        tensor = tensor[:, None] if tensor.ndim == 3 else tensor.permute(0, 3, 1, 2)
        tensor = fit_tensor(tensor, self.shape(options.model_shape))
        targets = torch.from_numpy(np.array(labels, dtype=np.int64))
        shape = (tensor.shape[1], tensor.shape[2], tensor.shape[3])
        return ImageData(name, split, tuple(classes), targets, shape, tensor_digest(tensor, targets), tensor)


@dataclass(frozen=True, kw_only=True)
class Digits(Source):
    """scikit-learn's embedded 8x8 digits, resized bilinearly; 1437 train and 360 test images, shuffled with seed 0."""

    native: ClassVar[Shape | None] = (1, 28, 28)
    class_count: ClassVar[int] = 10

    def load(self, split: str, name: str, options: LoadOptions) -> ImageData:
        """See `Source.load`."""
        import numpy as np
        from sklearn.datasets import load_digits

        bunch = load_digits()
        order = np.random.default_rng(0).permutation(len(bunch.target))
        cut = len(order) * 4 // 5
        chosen = order[:cut] if split == "train" else order[cut:]
        pixels = np.rint(bunch.images[chosen] * (255 / 16)).astype(np.uint8)
        return self.image_data(name, split, map(str, range(10)), pixels, bunch.target[chosen], options)


@dataclass(frozen=True, kw_only=True)
class TorchvisionSource(Source):
    """A dataset that torchvision reads from `run.data_root` and, when allowed, downloads and verifies."""

    torchvision_class: ClassVar[str]
    layout: ClassVar[str]  # what lies below run.data_root, for the message

    def open(self, split: str, options: LoadOptions, **extra: Any) -> Any:
        """The torchvision dataset.

        Raises:
            DataError: it is not there and cannot be fetched, or it is damaged.
        """
        from torchvision import datasets

        factory = getattr(datasets, self.torchvision_class)
        choose = {"split": split} if self.torchvision_class == "GTSRB" else {"train": split == "train"}
        try:
            return factory(str(options.root), download=False, **choose, **extra)
        except Exception as error:  # torchvision raises many classes for a damaged file
            if not isinstance(error, RuntimeError) or "not found" not in str(error):
                raise DataError(
                    f"{options.root / self.layout} is damaged ({type(error).__name__}: {error}): remove it and let it be "
                    "downloaded again"
                ) from error
            damaged = " or damaged" if "corrupted" in str(error) else ""
            missing = (
                f"{self.torchvision_class} is not in {options.root}{damaged} ({options.root / self.layout} is expected)"
            )
        remedy = "name the folder that holds it by run.data_root=... (or the environment variable ADVLAB_DATA)"
        if not options.download:
            raise DataError(f"{missing}: {remedy}, or allow the download with run.download=true")
        try:
            options.root.mkdir(parents=True, exist_ok=True)
            return factory(str(options.root), download=True, **choose, **extra)
        except Exception as error:  # network, disk, checksum: torchvision raises many classes
            raise DataError(f"{missing} and could not be downloaded ({error}): {remedy}") from error

    def load(self, split: str, name: str, options: LoadOptions) -> ImageData:
        """See `Source.load`."""
        data = self.open(split, options)
        return self.image_data(name, split, data.classes, data.data, data.targets, options)


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

    def load(self, split: str, name: str, options: LoadOptions) -> ImageData:
        """See `Source.load`."""
        from advlab.data.files import file_data

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
        root = options.root / "gtsrb"
        return file_data(
            name, split, classes, root, paths, labels, shape, (1.0, "squash", "bilinear"), options.artifacts
        )


@dataclass(frozen=True, kw_only=True)
class FileSource(Source):
    """Images in folders named after their classes.

    Attributes:
        root: the folder that holds the class folders, or `train`, `test` or `val` folders that do.
        crop: share of the resized shorter side that the centre crop keeps; 0: the model's, or 1.
        fit: crop (keep the aspect ratio, crop the centre) or squash (resize both sides).
        resample: auto (the model's, or bilinear), bilinear or bicubic; antialiased.
    """

    root: str = ""
    crop: float = 0.0
    fit: Literal["crop", "squash"] = "crop"
    resample: Literal["auto", "bilinear", "bicubic"] = "auto"

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the field.
        """
        super().__post_init__()
        if self.root:  # archived whole, so that a run can be resumed from any folder
            object.__setattr__(self, "root", os.path.abspath(os.path.expanduser(self.root)))
        if not 0 <= self.crop <= 1:
            raise ValueError(f"crop is a share between 0 (the model's) and 1, got {self.crop}")

    def folder(self, options: LoadOptions) -> Path:
        """The folder that is read.

        Raises:
            DataError: none is named.
        """
        if not self.root:
            raise DataError("no image folder is named: type dataset.root=/path/to/images (class folders, one a class)")
        return Path(self.root).expanduser()

    def load(self, split: str, name: str, options: LoadOptions) -> ImageData:
        """See `Source.load`."""
        from advlab.data.files import file_data, list_images

        root = self.folder(options)
        classes, paths, labels = list_images(root, split)
        shape = self.shape(options.model_shape)
        resample = options.model_resample if self.resample == "auto" else self.resample
        treatment = (self.crop or options.model_crop, self.fit, resample)
        return file_data(name, split, classes, root, paths, labels, shape, treatment, options.artifacts)


@dataclass(frozen=True, kw_only=True)
class Folder(FileSource):
    """Any image folder.

    Attributes:
        label: its name in output paths, seeds and figures; the folder's own name when empty.
    """

    label: str = ""

    splits: ClassVar[tuple[str, ...]] = ("train", "test", "all")

    def __post_init__(self) -> None:
        """Take the folder's name as label when none is given."""
        super().__post_init__()
        if not self.label and self.root:
            object.__setattr__(self, "label", Path(self.root).expanduser().resolve().name)


@dataclass(frozen=True, kw_only=True)
class ImageNet(FileSource):
    """ImageNet's validation images (Russakovsky et al. 2015) in folders named by wnid, sorted as the class indices."""

    class_count: ClassVar[int] = 1000

    def folder(self, options: LoadOptions) -> Path:
        """`dataset.root`, or `imagenet` below `run.data_root`.

        Raises:
            DataError: neither exists; the message says how to name it.
        """
        root = Path(self.root).expanduser() if self.root else options.root / "imagenet"
        if not root.is_dir():
            raise DataError(
                f"{root} does not exist: ImageNet cannot be downloaded freely. Name the folder that holds `val/<wnid>/*.JPEG` "
                "(or the wnid folders themselves) by dataset.root=/path/to/imagenet"
            )
        return root
