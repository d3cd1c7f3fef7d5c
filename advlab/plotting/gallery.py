"""Galleries of images with their classes: the figures 2 and 3 of gunther2017."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from advlab.plotting.pixels import decode, frame, show
from advlab.plotting.style import COLUMN, PAGE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

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


def adversarial_gallery(table: pd.DataFrame) -> Figure:
    """A column for each image: the original, its adversarial images below, and their common class.

    Args:
        table: rows of `adversarial_gallery` with a `run` column; several runs are drawn one below the other.
    """
    runs = list(dict.fromkeys(table["run"]))
    kinds = list(dict.fromkeys(table["image"]))
    columns = max(part["column"].nunique() for _, part in table.groupby("run"))
    cell = tile(columns)
    heads = {name: caption(str(name), cell) for name in table["label_name"].unique()}
    feet = {name: caption(str(name), cell) for name in table["prediction_name"].unique()}
    canvas = Canvas(
        runs=len(runs), rows=len(kinds), columns=columns, cell=cell, margin=MARGIN, gap=0.0, between=0.06,
        head=lines_of(heads.values()), foot=lines_of(feet.values()),
    )  # fmt: skip
    for r, run in enumerate(runs):
        canvas.title(r, str(run))
        for c, (_, images) in enumerate(table[table["run"] == run].groupby("column")):
            for k, kind in enumerate(kinds):
                for _, row in images[images["image"] == kind].iterrows():
                    axis = canvas.axis(r, k, c)
                    show(axis, decode(row))
                    if k == 0:
                        axis.set_title(heads[row["label_name"]], pad=3, **TEXT)
                    if c == 0:
                        axis.set_ylabel(kind, **TEXT)
                    if k == len(kinds) - 1:
                        names = dict.fromkeys(images.loc[images["image"] != kinds[0], "prediction_name"])
                        axis.set_xlabel("\n".join(feet[name] for name in names), labelpad=3, **TEXT)
    return canvas.figure


def fooling_gallery(table: pd.DataFrame) -> Figure:
    """The start on the left, then a column for each class and a row for each level, with the probability below.

    Args:
        table: rows of `fooling_gallery` with a `run` column; several runs are drawn one below the other.
    """
    runs = list(dict.fromkeys(table["run"]))
    reached = table[table["level"] > 0]
    levels = sorted(reached["level"].unique())
    columns = 1 + max(part["target"].nunique() for _, part in reached.groupby("run"))
    cell = tile(columns)
    heads = {name: caption(str(name), cell) for name in reached["target_name"].unique()}
    canvas = Canvas(
        runs=len(runs), rows=len(levels), columns=columns, cell=cell, margin=0.08, gap=0.25, between=0.08 + LINE,
        head=lines_of(heads.values()), foot=1,
    )  # fmt: skip
    for r, run in enumerate(runs):
        canvas.title(r, str(run))
        part = table[table["run"] == run]
        for _, row in part[part["level"] == 0].iterrows():
            axis = canvas.axis(r, (len(levels) - 1) / 2, 0)
            show(axis, decode(row))
            axis.set_title("start", pad=3, **TEXT)
            name = caption(str(row["prediction_name"]), cell, 2)
            axis.set_xlabel(f"{name}\n{percent(row['probability'])}", labelpad=2, **TEXT)
        for c, (_, images) in enumerate(part[part["level"] > 0].groupby("target", sort=False), start=1):
            for k, level in enumerate(levels):
                for _, row in images[images["level"] == level].iterrows():
                    axis = canvas.axis(r, k, c)
                    if k == 0:
                        axis.set_title(heads[row["target_name"]], pad=3, **TEXT)
                    if c == 1:
                        axis.set_ylabel(f"F{100 * level:g}", **TEXT)
                    if bool(row["success"]):
                        show(axis, decode(row))
                        axis.set_xlabel(percent(row["probability"]), labelpad=2, **TEXT)
                    else:
                        blank(axis, f"not reached:\n{percent(row['probability'])}")
    return canvas.figure


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
