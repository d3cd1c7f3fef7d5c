"""What is unusual about the images of a dataset, each kind said in one line: what was done, with how many, and a first example."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import NamedTuple

#: kind -> what is said of it, after "images that"
KINDS = {
    "alpha_alone": "hold their picture in the alpha channel alone; transparent pixels are drawn in their hidden colour, which is "
    "one for the whole image: draw them on a background first",
    "alpha": "have transparent pixels, which are drawn in their hidden colour: draw them on a background first if that is wrong",
    "sixteen": "have 16 bits a grey value, scaled to 8",
    "sixteen_colour": "have 16 bits a colour, of which the upper 8 are read",
    "palette": "have a palette, and are read in its colours",
    "mode": "are neither grey nor RGB (such as CMYK), and are converted without a colour profile",
    "animated": "have several frames or pages, of which the first is read",
    "orientation": "are turned upright as their EXIF orientation says",
}


class Remark(NamedTuple):
    """What is said of a dataset, and whether it is a warning: what was done may not be what is meant."""

    text: str
    warns: bool
    of_order: bool = False  # about the order of the class folders, which `dataset.labels` replaces


class Remarks:
    """Counts images by the kinds of `KINDS`; called from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[str, int] = {}
        self._examples: dict[str, Path] = {}
        self._largest = 0  # of all 16-bit grey values

    def add(self, kind: str, path: Path, largest: int = 0) -> None:
        """Count an image of a kind; `largest` is the largest of its 16-bit values."""
        with self._lock:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._examples[kind] = min(path, self._examples.get(kind, path))
            self._largest = max(self._largest, largest)

    def all(self) -> list[Remark]:
        """A line for each kind that there is."""
        return [self._line(kind) for kind in KINDS if kind in self._counts]

    def _line(self, kind: str) -> Remark:
        text, warns = KINDS[kind], kind.startswith("alpha")
        bits = self._largest.bit_length()
        if kind == "sixteen" and 0 < bits < 15:
            text += f", but their values reach {self._largest} only, as of {bits}-bit data: they come out dark; scale them first"
            warns = True
        return Remark(f"images that {text}: {self._counts[kind]}, such as {self._examples[kind]}", warns)
