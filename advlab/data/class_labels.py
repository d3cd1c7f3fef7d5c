"""`dataset.labels`: which of a network's classes the folders of a dataset are, or its files one by one. Imports no torch.

`imagenet` reads folders named by WordNet id or by class as ImageNet's thousand classes (Imagenette's ten, for example). A
file says it for any network: lines `folder,class` or `file,label` of a CSV file, or a mapping `folder: class` in YAML; a
class is its index, and of a network of a thousand classes also a WordNet id or a name.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from advlab.errors import DataError, suggest

IMAGENET = "imagenet"
IMAGENET_CLASSES = 1000
LARGEST = 64 << 20  # bytes of a file of labels
#: first cells of a line that names the columns
HEADERS = ("file", "filename", "path", "image", "folder", "class", "directory", "name", "wnid", "id")

#: the WordNet ids of ImageNet's classes (Russakovsky et al. 2015), one a line in the order of the class indices
WNIDS = Path(__file__).with_name("imagenet_wnids.txt")


def imagenet_classes() -> tuple[list[str], list[str]]:
    """WordNet ids and names of ImageNet's classes, in the order of their indices."""
    from torchvision.models import AlexNet_Weights  # loads torch, which a mistyped name must not wait for

    return WNIDS.read_text(encoding="ascii").split(), list(AlexNet_Weights.IMAGENET1K_V1.meta["categories"])


def plain(name: str) -> str:
    """A class name without what spellings differ in: `English_springer` is `english springer`."""
    return re.sub(r"[\W_]+", " ", name).strip().lower()


class NetworkClasses:
    """The classes of a network, by index and, of ImageNet's thousand, by WordNet id and name.

    Args:
        count: how many there are; 0: not known, one more than the largest index that is named.
        origin: what names them, for messages.
    """

    def __init__(self, count: int, origin: str) -> None:
        self.count, self.origin = count, origin
        self.names: list[str] = []
        self._indices: dict[str, int] = {}
        if count == IMAGENET_CLASSES:
            wnids, self.names = imagenet_classes()
            for names in (map(plain, self.names), wnids):
                self._indices |= {name: index for index, name in enumerate(names)}

    def index(self, name: str, of: str) -> int:
        """The index of a class.

        Args:
            name: an index, a WordNet id or a name.
            of: the folder or file that is said to be of this class, for messages.

        Raises:
            DataError: there is no such class; near ones are offered.
        """
        if re.fullmatch(r"[0-9]{1,9}", name):
            if self.count and int(name) >= self.count:
                raise DataError(
                    f"{self.origin}: {of!r} is said to be class {name}, but the classes are 0 to {self.count - 1}"
                )
            return int(name)
        index = self._indices.get(name, self._indices.get(plain(name)))
        if index is not None:
            return index
        if not self.names:
            raise DataError(
                f"{self.origin}: {of!r} is said to be class {name!r}: give the class's index, a whole number"
            )
        raise DataError(
            f"{self.origin}: {of!r} is no class of ImageNet ({name!r}). {suggest(plain(name), map(plain, self.names))}"
        )

    def listed(self, labels: Sequence[int]) -> list[str]:
        """The names of all classes, so many that `labels` are among them: an index stands for a name that is not known."""
        return self.names or [str(index) for index in range(self.count or max(labels) + 1)]


def read_labels(path: Path) -> dict[str, str]:
    """Folder or file -> class, as a file of labels says; paths with forward slashes.

    Raises:
        DataError: the file is missing, too large, not of this form, or names something twice.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(
                f"{path} has more than {LARGEST >> 20} MiB: dataset.labels takes a CSV or YAML file of labels"
            )
        text = path.read_text(encoding="utf-8-sig")
        is_yaml = path.suffix.lower() in (".yaml", ".yml")
        pairs = yaml_pairs(path, text) if is_yaml else csv_pairs(path, text)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): dataset.labels takes {IMAGENET}, or a CSV or YAML file of labels"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text: dataset.labels takes a CSV or YAML file of labels") from error
    labels: dict[str, str] = {}
    for name, label in pairs:
        key = name.replace("\\", "/").strip("/").removeprefix("./")
        if key in labels:
            raise DataError(f"{path} names {key!r} twice: name each once")
        labels[key] = label
    if not labels:
        raise DataError(f"{path} is empty: write a line `folder,class` or `file,label` for each")
    return labels


def csv_pairs(path: Path, text: str) -> list[tuple[str, str]]:
    """The lines of a CSV file, without one that names the columns.

    Raises:
        DataError: a line has not two cells.
    """
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if any(row)]
    for number, row in enumerate(rows, 1):
        if len(row) != 2 or not all(row):
            raise DataError(
                f"{path}: line {number} must hold a folder or a file, a comma and a class, got {','.join(row)!r}"
            )
    if rows and rows[0][0].lower() in HEADERS and not rows[0][1].isdecimal():
        rows = rows[1:]
    return [(row[0], row[1]) for row in rows]


def yaml_pairs(path: Path, text: str) -> list[tuple[str, str]]:
    """The entries of a YAML file; a folder that is written as a number twice, as 1 and "1", is there twice.

    Raises:
        DataError: it is no mapping of folders to classes.
    """
    try:
        content: Any = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(f"{path} does not parse: {' '.join(str(error).split())[:300]}") from error
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str | int) and isinstance(label, str | int) and not isinstance(label, bool)
        for name, label in content.items()
    ):
        raise DataError(f"{path} must be a mapping, a line `folder: class` for each, the class an index or a name")
    return [(str(name), str(label)) for name, label in content.items()]


def labels_of_folders(folders: Sequence[str], said: Mapping[str, str], classes: NetworkClasses) -> list[int]:
    """The class index of each folder.

    Raises:
        DataError: a folder has no class, a class has no folder, or a class is none of the network's.
    """
    for name in said:
        if name not in folders:
            raise DataError(f"{classes.origin} names {name!r}, which is no class folder. {suggest(name, folders)}")
    missing = [name for name in folders if name not in said]
    if missing:
        shown = ", ".join(map(repr, missing[:6])) + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")
        raise DataError(f"{classes.origin} lacks the class folders {shown}: add a line for each")
    return [classes.index(said[name], name) for name in folders]


def labels_by_name(folders: Sequence[str], classes: NetworkClasses) -> list[int]:
    """The class index of each folder, from its own name.

    Raises:
        DataError: a name is no class of ImageNet, or two are one class.
    """
    labels: dict[int, str] = {}
    for name in folders:
        index = classes.index(name if not name.isdecimal() else f"class {name}", name)
        if index in labels:
            raise DataError(
                f"the folders {labels[index]!r} and {name!r} are both ImageNet's class {index}: put them together"
            )
        labels[index] = name
    return list(labels)
