"""Fooling images of several classes and levels: figure 2 of gunther2017."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.gallery import LINE_HEIGHT, TEXT, Canvas, caption, empty_tile, line_count, percent, tile_side
from advlab.plotting.pixels import decode, show


def fooling_gallery(table: pd.DataFrame) -> Figure:
    """The start on the left, then a column for each class and a row for each level, with the probability below.

    Args:
        table: rows of `fooling_gallery` with a `run` column; several runs are drawn one below the other.
    """
    runs = list(dict.fromkeys(table["run"]))
    reached = table[table["level"] > 0]
    levels = sorted(reached["level"].unique())
    columns = 1 + max(part["target"].nunique() for _, part in reached.groupby("run"))
    tile = tile_side(columns)
    heads = {name: caption(str(name), tile) for name in reached["target_name"].unique()}
    canvas = Canvas(
        runs=len(runs), rows=len(levels), columns=columns, tile=tile, margin=0.08, first_column_gap=0.25,
        row_gap=0.08 + LINE_HEIGHT, lines_above=line_count(heads.values()), lines_below=1,
    )  # fmt: skip
    for r, run in enumerate(runs):
        canvas.title(r, str(run))
        part = table[table["run"] == run]
        for _, row in part[part["level"] == 0].iterrows():
            axis = canvas.axis(r, (len(levels) - 1) / 2, 0)
            show(axis, decode(row))
            axis.set_title("start", pad=3, **TEXT)
            name = caption(str(row["prediction_name"]), tile, 2)
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
                        cause = "at the start:" if row["status"] == "start_at_level" else "not reached:"
                        empty_tile(axis, f"{cause}\n{percent(row['probability'])}")
    return canvas.figure
