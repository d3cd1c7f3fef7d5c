"""Datasets that are folders of image files: any folder, and ImageNet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from annotated_types import Interval

from advlab.data.class_labels import (
    IMAGENET,
    IMAGENET_CLASSES,
    NetworkClasses,
    labels_by_name,
    labels_of_folders,
    read_labels,
)
from advlab.data.content import Files, Preprocessing
from advlab.data.folders import list_images, split_folder
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

    def check_files(self, options: LoadOptions) -> None:
        """See `Source.check_files`."""
        split_folder(self.folder(options), self.split)

    def read(self, split: str, name: str, options: LoadOptions) -> Files:
        """See `Source.read`."""
        root = self.folder(options)
        classes, paths, labels, remarks = list_images(root, split)
        shape = self.shape(options.model_shape)
        return Files(classes, root, paths, labels, shape, self.preprocessing(options), remarks)

    def preprocessing(self, options: LoadOptions) -> Preprocessing:
        """How the files become images of the wanted size."""
        resample = options.model_resample if self.resample == "auto" else self.resample
        return Preprocessing(self.crop or options.model_crop, self.fit, resample)


@dataclass(frozen=True, kw_only=True)
class Folder(FileSource):
    """Any image folder.

    Attributes:
        label: its name in output paths, seeds and figures; the folder's own name when empty.
        labels: which of the network's classes its folders are: `imagenet` (folders named by WordNet id or class name), or a
            CSV or YAML file with a line `folder,class` or `file,label` for each; empty: the order of the folders.
    """

    label: str = ""
    labels: str = ""

    splits: ClassVar[tuple[str, ...]] = ("train", "test", "all")

    def __post_init__(self) -> None:
        """Take the folder's name as label when none is given, and make the path of a file of labels absolute."""
        super().__post_init__()
        if self.labels and self.labels != IMAGENET:
            object.__setattr__(self, "labels", os.path.abspath(os.path.expanduser(self.labels)))
        if not self.label and self.root:
            object.__setattr__(self, "label", Path(os.path.realpath(os.path.expanduser(self.root))).name)

    def read(self, split: str, name: str, options: LoadOptions) -> Files:
        """See `Source.read`.

        Raises:
            DataError: `labels` does not fit the folders, the files or the network's classes.
        """
        if not self.labels:
            return super().read(split, name, options)
        if self.labels == IMAGENET:
            files = super().read(split, name, options)
            classes = NetworkClasses(IMAGENET_CLASSES, "dataset.labels=imagenet")
            return relabelled(files, labels_by_name(files.classes, classes), classes)
        classes, said = NetworkClasses(options.model_classes, self.labels), read_labels(Path(self.labels))
        folder = split_folder(self.folder(options), split)
        if not any(is_file(folder, file) for file in said):
            files = super().read(split, name, options)
            return relabelled(files, labels_of_folders(files.classes, said, classes), classes)
        for file in said:
            if not is_file(folder, file):
                raise DataError(f"{self.labels} names {file!r}, which is no file in {folder}: mend or remove its line")
        labels = [classes.index(label, file) for file, label in said.items()]
        shape, preprocessing = self.shape(options.model_shape), self.preprocessing(options)
        return Files(classes.listed(labels), folder, [folder / file for file in said], labels, shape, preprocessing)


def is_file(folder: Path, name: str) -> bool:
    """Whether a name is that of a file below a folder, and does not lead out of it."""
    return ".." not in Path(name).parts and (folder / name).is_file()


def relabelled(files: Files, labels: Sequence[int], classes: NetworkClasses) -> Files:
    """The files with the network's classes: `labels` says which of them each of their own is."""
    mapped = [labels[label] for label in files.labels]
    remarks = [remark for remark in files.remarks if not remark.of_order]
    return replace(files, classes=classes.listed(labels), labels=mapped, remarks=remarks)


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
