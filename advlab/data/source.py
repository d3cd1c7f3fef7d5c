"""The datasets that a configuration can name, as parameters; torch is imported only when one is loaded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from advlab.errors import DataError, suggest

if TYPE_CHECKING:
    from advlab.data.images import ImageData
    from advlab.store.artifacts import ArtifactStore

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

        from advlab.data.images import ImageData, resized, tensor_digest

        tensor = torch.from_numpy(np.array(pixels, dtype=np.uint8))  # a copy: strides may be negative, arrays read-only
        tensor = tensor[:, None] if tensor.ndim == 3 else tensor.permute(0, 3, 1, 2)
        tensor = resized(tensor, self.shape(options.model_shape))
        targets = torch.from_numpy(np.array(labels, dtype=np.int64))
        shape = (tensor.shape[1], tensor.shape[2], tensor.shape[3])
        return ImageData(name, split, tuple(classes), targets, shape, tensor_digest(tensor, targets), tensor)
