"""Fooling images of all classes from several starts, with the verdict of an open set network: figure 4 of gunther2017."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advlab.plotting.gallery import LINE_HEIGHT, Canvas, blocks, caption, line_count, look, scale, tile_side
from advlab.plotting.pixels import decode, frame, show

#: verdict -> words, colour of the border (the paper's green, red and yellow, told apart without colour vision) and mark
VERDICTS = {
    "unknown": ("unknown", "#009E73", "o"),
    "target": ("accepted as the target", "#D55E00", "X"),
    "other": ("another class", "#F0C000", "^"),
}
BORDER = 2.0  # points
LEGEND_WIDTH = 4.5  # inches of a legend in one line


def fooling_grid(table: pd.DataFrame) -> Figure:
    """A block for each start, of a run in the order of the starts: the start on the left, then a column for each class.

    Args:
        table: rows of `fooling_grid` with a `run` column; several runs are drawn one below the other.
    """
    reached = table[table["level"] > 0]
    levels = sorted(reached["level"].unique())
    placed = [
        (run, start, block)
        for (run, start), rows in reached.groupby(["run", "start"], sort=False)
        for block in blocks(list(dict.fromkeys(rows["target"])), most=5)
    ]
    columns = 1 + max((len(block) for *_, block in placed), default=1)
    tile = tile_side(columns)
    heads = {name: caption(str(name), tile, 2) for name in reached["target_name"].unique()}
    canvas = Canvas(
        runs=max(1, len(placed)), rows=max(1, len(levels)), columns=columns, tile=tile, margin=0.08, first_column_gap=0.2,
        row_gap=0.06, lines_above=line_count(heads.values()), lines_below=1,
    )  # fmt: skip
    several = table["run"].nunique() > 1
    for r, (run, start, block) in enumerate(placed):
        part = table[(table["run"] == run) & (table["start"] == start)]
        canvas.title(r, f"{run}, start {start}" if several else f"start {start}")
        for _, row in part[part["level"] == 0].iterrows():
            axis = canvas.axis(r, (len(levels) - 1) / 2, 0)
            show(axis, decode(row))
            axis.set_xlabel("start", labelpad=2, **look())
        for c, target in enumerate(block, start=1):
            for k, level in enumerate(levels):
                rows = part[(part["target"] == target) & (part["level"] == level)]
                for _, row in rows.iterrows():
                    axis = canvas.axis(r, k, c)
                    if k == 0:
                        axis.set_title(heads[row["target_name"]], pad=3, **look())
                    if c == 1:
                        axis.set_ylabel(f"F{100 * level:g}", **look())
                    draw_tile(axis, row)
    legend(canvas)
    return canvas.figure


def draw_tile(axis: Any, row: pd.Series) -> None:
    """One image with its border and mark, or an empty tile where there is none."""
    if not bool(row["success"]):
        frame(axis, linestyle=":")
        if row["status"] == "at level already":
            axis.text(0.5, 0.5, "start", ha="center", va="center", transform=axis.transAxes, **look(6))
        return
    show(axis, decode(row))
    _, colour, mark = VERDICTS[row["verdict"]]
    for spine in axis.spines.values():
        spine.set(visible=True, color=colour, linewidth=BORDER)
    axis.plot(
        [0.86], [0.14], marker=mark, markersize=4.5, color=colour, markeredgecolor="white", markeredgewidth=0.6,
        transform=axis.transAxes, clip_on=False,
    )  # fmt: skip


def legend(canvas: Canvas) -> None:
    """Below everything: what border and mark mean."""
    columns = 3 if canvas.width > LEGEND_WIDTH else 1
    handles = [
        Line2D(
            [], [], color=colour, marker=mark, linewidth=BORDER, markersize=4.5, markeredgecolor="white", label=words
        )
        for words, colour, mark in VERDICTS.values()
    ]
    canvas.figure.legend(
        handles=handles, loc="lower center", ncols=columns, frameon=False, fontsize=look()["fontsize"],
        bbox_to_anchor=(0.5, 0.0),
    )  # fmt: skip
    extra = (len(VERDICTS) // columns + 1) * LINE_HEIGHT * scale() * 1.3
    grown = canvas.height + extra
    for axis in canvas.figure.axes:
        x, y, w, h = axis.get_position().bounds
        axis.set_position((x, (y * canvas.height + extra) / grown, w, h * canvas.height / grown))
    for text in canvas.figure.texts:
        x, y = text.get_position()
        text.set_position((x, (y * canvas.height + extra) / grown))
    canvas.figure.set_size_inches(canvas.width, grown)
