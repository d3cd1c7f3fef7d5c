"""What galleries of images share: captions that fit a column, and a canvas of square tiles."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from advlab.plotting.pixels import frame
from advlab.plotting.style import COLUMN, narrow, small, width

CHARACTER_WIDTH = 0.058  # inches: the mean over the signs of a text of 7 points
LINE_HEIGHT = 0.125  # inches: a line of 7 points
MOST_LINES = 3  # of a caption
COLUMN_GAP = 0.06  # inches between two columns
MARGIN = 0.3  # inches left of the tiles, for the names of the rows
NARROW_COLUMNS = 5  # images beside each other in a figure of one column: more follow below


def look(points: float = 7) -> dict[str, Any]:
    """How text is written; no mathematics: a class may be called $x$."""
    return {"parse_math": False, "fontsize": small(points)}


def scale() -> float:
    """Size of the text over 7 points."""
    return small(7) / 7


def blocks(columns: Sequence[Any], most: int = NARROW_COLUMNS) -> list[list[Any]]:
    """The columns of a run in blocks below each other: all in one, but at most `most` in a figure of one column."""
    rows = max(1, -(-len(columns) // most)) if narrow() else 1
    step = max(1, -(-len(columns) // rows))
    return [list(columns[first : first + step]) for first in range(0, len(columns), step)]


def caption(name: str, inches: float, lines: int = MOST_LINES) -> str:
    """A class name broken between words to the width of a column and cut to `lines`, without signs that do not print."""
    printable = "".join(c if c.isprintable() else " " for c in name)
    signs = max(3, int(inches / CHARACTER_WIDTH / scale()))
    wrapped = textwrap.wrap(printable, signs, max_lines=lines, placeholder="…", break_on_hyphens=False)
    if not wrapped or wrapped == ["…"]:  # one long word
        wrapped = [printable.strip()[: signs - 1] + "…"] if printable.strip() else ["?"]
    return "\n".join(wrapped)


def line_count(texts: Iterable[str]) -> int:
    """Lines of the tallest text."""
    return max((text.count("\n") + 1 for text in texts), default=1)


def tile_side(columns: int) -> float:
    """Side of an image in inches: many columns fill the width of the figure, few a column of a paper or a little more."""
    return min(0.9, (width() - MARGIN) / columns - COLUMN_GAP)


@dataclass
class Canvas:
    """A figure of square tiles in blocks, one for each run, below each other. Lengths are in inches.

    Attributes:
        runs: number of blocks, one or more a run.
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
        line = LINE_HEIGHT * scale()
        self.top = 0.32 + self.lines_above * line
        self.block = self.top + self.rows * (self.tile + self.row_gap) + self.lines_below * line + 0.05
        self.width = max(self.margin + self.first_column_gap + self.columns * (self.tile + COLUMN_GAP), COLUMN)
        self.width = width() if narrow() else self.width
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
        self.figure.text(0.08 / self.width, y, shown, va="top", **look(8))

    def note(self, run: int, text: str) -> None:
        """Write a remark below a run's name, for which there is one more line above."""
        y = 1 - (run * self.block + 0.06 + 1.3 * LINE_HEIGHT * scale()) / self.height
        shown = caption(text, self.width - 0.2, 1)
        self.figure.text(0.08 / self.width, y, shown, va="top", **look())


def empty_tile(axis: Any, text: str) -> None:
    """Draw a dotted border with a remark, where there is no image."""
    frame(axis, linestyle=":")
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes, **look(6))


def percent(value: float) -> str:
    """A probability with one digit after the point, rounded down: 99.99 % is not yet certain."""
    return f"{int(1000 * value) / 10:.1f} %"
