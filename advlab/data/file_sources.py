"""Datasets that are folders of image files: any folder, and ImageNet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_types import Interval

from advlab.data.content import Files, Preprocessing
from advlab.data.folders import list_images
from advlab.data.source import LoadOptions, Source
from advlab.errors import DataError


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
    crop: Annotated[float, Interval(ge=0, le=1)] = 0.0
    fit: Literal["crop", "squash"] = "crop"
    resample: Literal["auto", "bilinear", "bicubic"] = "auto"

    def __post_init__(self) -> None:
        """Make the folder's path absolute."""
        super().__post_init__()
        if self.root:  # archived whole, so that a run can be resumed from any folder
            object.__setattr__(self, "root", os.path.abspath(os.path.expanduser(self.root)))

    def folder(self, options: LoadOptions) -> Path:
        """The folder that is read.

        Raises:
            DataError: none is named.
        """
        if not self.root:
            raise DataError("no image folder is named: type dataset.root=/path/to/images (class folders, one a class)")
        return Path(self.root).expanduser()

    def read(self, split: str, name: str, options: LoadOptions) -> Files:
        """See `Source.read`."""
        root = self.folder(options)
        classes, paths, labels, remarks = list_images(root, split)
        shape = self.shape(options.model_shape)
        resample = options.model_resample if self.resample == "auto" else self.resample
        preprocessing = Preprocessing(self.crop or options.model_crop, self.fit, resample)
        return Files(classes, root, paths, labels, shape, preprocessing, remarks)


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
            object.__setattr__(self, "label", Path(os.path.realpath(os.path.expanduser(self.root))).name)


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
        if not os.path.isdir(root):
            raise DataError(
                f"{root} does not exist: ImageNet cannot be downloaded freely. Name the folder that holds `val/<wnid>/*.JPEG` "
                "(or the wnid folders themselves) by dataset.root=/path/to/imagenet"
            )
        return root
