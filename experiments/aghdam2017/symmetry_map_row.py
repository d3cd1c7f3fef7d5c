"""The table of figure 2: its three kinds of rows, the columns of each, and how they are read apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from advlab.lab import Frame

GRID, MARK, SPHERE = "grid", "mark", "sphere"  # values of the column `kind`


@dataclass(frozen=True, kw_only=True)
class SymmetryMapRow:
    """A point of the map, one of the three marked images, or the permutations of one (sample, reading, radius).

    A run has one table, so that the three kinds share it. A column with a default belongs to some kinds only
    (`OWN_COLUMNS`), and rows of the others hold the default; all other columns mean the same in every row.
    """

    kind: str  # grid, mark or sphere
    name: str = ""  # of a mark: clean, kept (v1) or lost (v2)
    sample: int  # index in the split
    label: int  # true class
    label_name: str  # its name
    norm: str  # l2 or linf
    pixel_scale: float  # pixel value of white in the radius's units
    direction: str  # of the perturbations: random, fgv or deepfool
    radius: float  # r of v1 and v2, in those units
    rms: float = math.nan  # root mean square of v1, in grey levels (0..255); nan for the grid
    a: float = math.nan  # place in the map: coordinate along u1, L2, pixels in [0, 1]; nan for a sphere
    b: float = math.nan  # along u2
    score: float  # softmax probability of the true class; its mean over the trials of a sphere
    error_probability: float  # 1 - score, to the last digit
    margin: float = math.nan  # logit of the true class minus the largest other; nan for a sphere
    prediction: int = -1  # class; -1 for a sphere
    prediction_name: str = ""  # its name
    trials: int = 1  # scores behind the row: T permutations of a sphere, else 1
    above: int  # of them, above the clean image's score
    misclassified: int  # of them
    nonfinite: int  # of them, left out
    channels: int = 0  # shape of a mark's image, else 0
    height: int = 0  # of it
    width: int = 0  # of it
    pixels: str = ""  # of a mark: grey levels cut to 0..255 and rounded, base64; the network saw them as they were

    former_columns: ClassVar[dict[str, str]] = {"deficit": "error_probability"}


_PLACE = ("a", "b", "margin", "prediction", "prediction_name")
_IMAGE = ("channels", "height", "width", "pixels")

#: The columns that each kind has besides those of all three.
OWN_COLUMNS = {GRID: _PLACE, MARK: ("name", "rms", *_PLACE, *_IMAGE), SPHERE: ("rms",)}


def of_kind(table: Frame, kind: str) -> Frame:
    """The rows of one kind, with the columns that this kind has: the three are tables of their own in one file."""
    foreign = {column for columns in OWN_COLUMNS.values() for column in columns} - set(OWN_COLUMNS[kind])
    return table[table["kind"] == kind].drop(columns=sorted(foreign), errors="ignore")


def marks_of(rows: Frame) -> Frame:
    """The three marked images of one run, by name: clean, kept and lost."""
    return of_kind(rows, MARK).set_index("name")


def share_above(spheres: Frame) -> Frame:
    """Of the permutations of each sphere, the share that scores above the clean image; a series like the rows."""
    return spheres["above"] / (spheres["trials"] - spheres["nonfinite"])
