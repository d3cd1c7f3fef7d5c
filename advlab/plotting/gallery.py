"""What galleries of images share: captions that fit a column, and a canvas of square tiles."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from advlab.plotting.pixels import frame
from advlab.plotting.style import COLUMN, PAGE

CHARACTER_WIDTH = 0.058  # inches: the mean over the signs of a text of 7 points
LINE_HEIGHT = 0.125  # inches: a line of 7 points
MOST_LINES = 3  # of a caption
TEXT: dict[str, Any] = {"parse_math": False, "fontsize": 7}  # no mathematics: a class may be called $x$
COLUMN_GAP = 0.06  # inches between two columns
MARGIN = 0.3  # inches left of the tiles, for the names of the rows


def caption(name: str, inches: float, lines: int = MOST_LINES) -> str:
    """A class name broken between words to the width of a column and cut to `lines`, without signs that do not print."""
    printable = "".join(c if c.isprintable() else " " for c in name)
    width = max(3, int(inches / CHARACTER_WIDTH))
    wrapped = textwrap.wrap(printable, width, max_lines=lines, placeholder="…", break_on_hyphens=False)
    if not wrapped or wrapped == ["…"]:  # one long word
        wrapped = [printable.strip()[: width - 1] + "…"] if printable.strip() else ["?"]
    return "\n".join(wrapped)


def line_count(texts: Iterable[str]) -> int:
    """Lines of the tallest text."""
    return max((text.count("\n") + 1 for text in texts), default=1)


def tile_side(columns: int) -> float:
    """Side of an image in inches: many columns fill the page, few a column of a paper or a little more."""
    return min(0.9, (PAGE - MARGIN) / columns - COLUMN_GAP)


@dataclass
class Canvas:
    """A figure of square tiles in blocks, one for each run, below each other. Lengths are in inches.

    Attributes:
        runs: number of blocks.
        rows: of a block.
        columns: of a block.
        tile: side of a tile.
        margin: left of the tiles.
        first_column_gap: between the first column and the second, besides `COLUMN_GAP`.
        row_gap: between two rows.
        lines_above: lines of text above a block.
        lines_below: lines of text below a block.
    """

    runs: int
    rows: int
    columns: int
    tile: float
    margin: float
    first_column_gap: float
    row_gap: float
    lines_above: int
    lines_below: int

    def __post_init__(self) -> None:
        """Make the empty figure."""
        self.top = 0.32 + self.lines_above * LINE_HEIGHT
        self.block = self.top + self.rows * (self.tile + self.row_gap) + self.lines_below * LINE_HEIGHT + 0.05
        self.width = max(self.margin + self.first_column_gap + self.columns * (self.tile + COLUMN_GAP), COLUMN)
        self.height = self.runs * self.block
        self.figure = Figure(figsize=(self.width, self.height))

    def axis(self, run: int, row: float, column: int) -> Any:
        """The axes of one tile; `row` may lie between two rows."""
        x = self.margin + column * (self.tile + COLUMN_GAP) + (self.first_column_gap if column else 0)
        y = self.height - run * self.block - self.top - row * (self.tile + self.row_gap) - self.tile
        return self.figure.add_axes((x / self.width, y / self.height, self.tile / self.width, self.tile / self.height))

    def title(self, run: int, text: str) -> None:
        """Write a run's name above its block."""
        y = 1 - (run * self.block + 0.06) / self.height
        shown = caption(text, self.width - 0.2, 1)
        self.figure.text(0.08 / self.width, y, shown, va="top", **{**TEXT, "fontsize": 8})


def empty_tile(axis: Any, text: str) -> None:
    """Draw a dotted border with a remark, where there is no image."""
    frame(axis, linestyle=":")
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes, **{**TEXT, "fontsize": 6})


def percent(value: float) -> str:
    """A probability with one digit after the point, rounded down: 99.99 % is not yet certain."""
    return f"{int(1000 * value) / 10:.1f} %"
