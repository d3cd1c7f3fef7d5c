"""What every dataset of a configuration has: parameters, and how one of its splits is read. Imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Interval

from advlab.config.ranges import InRange
from advlab.data.content import Arrays, Files, Shape
from advlab.errors import ArgumentError, DataError, suggest

if TYPE_CHECKING:  # they import torch and numpy
    from advlab.data.images import ImageData
    from advlab.store.artifacts import ArtifactStore


@dataclass(frozen=True)
class LoadOptions:
    """Where a run keeps data, and what images its model takes."""

    root: Path  # run.data_root
    download: bool
    artifacts: ArtifactStore
    model_shape: Shape | None = None  # the model's input, for datasets without a size of their own
    model_crop: float = 1.0  # the model's share of the shorter side
    model_resample: str = "bilinear"  # the model's interpolation
    model_classes: int = 0  # the model's logits; 0: not known
    image_memory: float = 1.0  # GiB of decoded pixels up to which the images of files are kept in memory


@dataclass(frozen=True, kw_only=True)
class Source(InRange, ABC):
    """A dataset: parameters common to all.

    Attributes:
        size: height and width in pixels; 0: the dataset's own, or the model's where the dataset has none.
        channels: 1 or 3; 0: the dataset's own, or the model's where the dataset has none.
        split: the split that is measured; training always uses `train`.
    """

    size: Annotated[int, Interval(ge=0, le=4096)] = 0
    channels: Literal[0, 1, 3] = 0
    split: str = "test"

    native: ClassVar[Shape | None] = None
    class_count: ClassVar[int] = 0  # 0: known after loading
    splits: ClassVar[tuple[str, ...]] = ("train", "test")

    def __post_init__(self) -> None:
        """Refuse values out of range, and a split that the dataset does not have.

        Raises:
            ArgumentError: names the field.
        """
        super().__post_init__()
        if self.split not in self.splits:
            raise ArgumentError(f"there is no split {self.split!r}. {suggest(self.split, self.splits)}")

    def shape(self, model_shape: Shape | None) -> Shape:
        """(C, H, W) of the images for a model that takes `model_shape`.

        Raises:
            DataError: neither dataset nor model has a size.
        """
        default = self.native or model_shape
        if default is None and not (self.size and self.channels):
            raise DataError(
                "neither the dataset nor the model has an image size: type dataset.size=... dataset.channels=..."
            )
        channels, height, width = default or (0, 0, 0)
        return self.channels or channels, self.size or height, self.size or width

    def check_files(self, options: LoadOptions) -> None:
        """Refuse a dataset of which it is plain without torch that it is not there; by default nothing is known of it.

        Raises:
            DataError: says how to get it.
        """

    @abstractmethod
    def read(self, split: str, name: str, options: LoadOptions) -> Arrays | Files:
        """One split: its images as arrays, or the files that hold them.

        Args:
            split: one of `splits`.
            name: of the dataset, for messages.
            options: where the data are, and the images that the model takes.

        Raises:
            DataError: the data are missing (the message says how to get them) or damaged.
        """

    def load(self, split: str, name: str, options: LoadOptions) -> ImageData:
        """One split as `ImageData`, under the name that seeds and output paths carry.

        Raises:
            DataError: the data are missing (the message says how to get them) or damaged.
        """
        # with torch, which describing a dataset must not wait for
        from advlab.data.files import data_from_files
        from advlab.data.images import data_from_arrays

        content = self.read(split, name, options)
        if isinstance(content, Files):
            return data_from_files(name, split, content, options.artifacts, options.image_memory)
        return data_from_arrays(name, split, content)
