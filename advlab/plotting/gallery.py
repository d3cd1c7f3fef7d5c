"""Galleries of images with their classes: the figures 2 and 3 of gunther2017."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from advlab.plotting.pixels import frame
from advlab.plotting.style import COLUMN, PAGE

if TYPE_CHECKING:
    pass

CHARACTER = 0.058  # inches: a sign of 7 points, on average
LINE = 0.125  # inches: a line of 7 points
LINES = 3  # of a name, at most
TEXT: dict[str, Any] = {"parse_math": False, "fontsize": 7}  # a class may be called $x$
GAP = 0.06  # inches: between two columns
MARGIN = 0.3  # inches: the names of the rows, on the left


def caption(name: str, inches: float, lines: int = LINES) -> str:
    """A class name for the width of a column: broken between words, cut to `lines`, without signs that do not print."""
    plain = "".join(c if c.isprintable() else " " for c in name)
    width = max(3, int(inches / CHARACTER))
    wrapped = textwrap.wrap(plain, width, max_lines=lines, placeholder="…", break_on_hyphens=False)
    if not wrapped or wrapped == ["…"]:  # one long word
        wrapped = [plain.strip()[: width - 1] + "…"] if plain.strip() else ["?"]
    return "\n".join(wrapped)


def lines_of(texts: Iterable[str]) -> int:
    """Lines of the tallest text."""
    return max((text.count("\n") + 1 for text in texts), default=1)


def tile(columns: int) -> float:
    """Side of an image in inches: many columns fill the page, few a column of a paper or a little more."""
    return min(0.9, (PAGE - MARGIN) / columns - GAP)


@dataclass
class Canvas:
    """A figure of square tiles in blocks, one a run; lengths in inches.

    Attributes:
        runs: blocks, one below the other.
        rows, columns: of a block.
        cell: side of a tile.
        margin: left of the tiles.
        gap: between the first column and the second, besides `GAP`.
        between: between two rows.
        head, foot: lines of text above and below a block.
    """

    runs: int
    rows: int
    columns: int
    cell: float
    margin: float
    gap: float
    between: float
    head: int
    foot: int

    def __post_init__(self) -> None:
        """Make the empty figure."""
        from matplotlib.figure import Figure

        self.top = 0.32 + self.head * LINE
        self.block = self.top + self.rows * (self.cell + self.between) + self.foot * LINE + 0.05
        self.width = max(self.margin + self.gap + self.columns * (self.cell + GAP), COLUMN)
        self.height = self.runs * self.block
        self.figure = Figure(figsize=(self.width, self.height))

    def axis(self, run: int, row: float, column: int) -> Any:
        """The axes of one tile; `row` may lie between two rows."""
        x = self.margin + column * (self.cell + GAP) + (self.gap if column else 0)
        y = self.height - run * self.block - self.top - row * (self.cell + self.between) - self.cell
        return self.figure.add_axes((x / self.width, y / self.height, self.cell / self.width, self.cell / self.height))

    def title(self, run: int, text: str) -> None:
        """Write a run's name above its block."""
        y = 1 - (run * self.block + 0.06) / self.height
        shown = caption(text, self.width - 0.2, 1)
        self.figure.text(0.08 / self.width, y, shown, va="top", **{**TEXT, "fontsize": 8})


def blank(axis: Any, text: str) -> None:
    """An empty frame with a remark."""
    frame(axis, linestyle=":")
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes, **{**TEXT, "fontsize": 6})


def percent(value: float) -> str:
    """A probability with one digit after the point, rounded down: 99.99 % is not yet certain."""
    return f"{int(1000 * value) / 10:.1f} %"
