"""Fooling images of several classes and levels: figure 2 of gunther2017."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.gallery import (
    LINE_HEIGHT,
    Canvas,
    blocks,
    caption,
    empty_tile,
    line_count,
    look,
    percent,
    scale,
    tile_side,
)
from advlab.plotting.pixels import decode, show
from advlab.plotting.style import narrow

from .verdict import most_lines, verdict_lines, whose_verdict


def fooling_gallery(table: pd.DataFrame) -> Figure:
    """The start on the left, then a column for each class and a row for each level, with the probability below.

    Below that stands the verdict of an open set network, where there is one.

    Args:
        table: rows of `fooling_gallery` with a `run` column; several runs are drawn one below the other.
    """
    runs = list(dict.fromkeys(table["run"]))
    reached = table[table["level"] > 0]
    levels = sorted(reached["level"].unique())
    targets = {run: list(dict.fromkeys(reached.loc[reached["run"] == run, "target"])) for run in runs}
    placed = [(run, block) for run in runs for block in blocks(targets[run], most=3)]
    columns = 1 + max(len(block) for _, block in placed)
    tile = tile_side(columns)
    heads = {name: caption(str(name), tile) for name in reached["target_name"].unique()}
    verdict = whose_verdict(table)
    lines = 1 + (most_lines(table, tile) if verdict else 0)
    canvas = Canvas(
        runs=len(placed), rows=len(levels), columns=columns, tile=tile, margin=0.08, first_column_gap=0.25,
        row_gap=0.08 + lines * LINE_HEIGHT * scale(), lines_above=line_count(heads.values()) + bool(verdict), lines_below=1,
    )  # fmt: skip
    for r, (run, block) in enumerate(placed):
        canvas.title(r, str(run))
        if verdict:
            canvas.note(r, f"below each image: {verdict}'s verdict")
        part = table[table["run"] == run]
        for _, row in part[part["level"] == 0].iterrows():
            axis = canvas.axis(r, (len(levels) - 1) / 2, 0)
            show(axis, decode(row))
            axis.set_title("start", pad=3, **look())
            name = caption(str(row["prediction_name"]), tile, 2)
            below = [name, percent(row["probability"]), *verdict_lines(row, tile)]
            axis.set_xlabel("\n".join(below), labelpad=2, **look())
        for c, target in enumerate(block, start=1):
            images = part[(part["level"] > 0) & (part["target"] == target)]
            for k, level in enumerate(levels):
                for _, row in images[images["level"] == level].iterrows():
                    axis = canvas.axis(r, k, c)
                    if k == 0:
                        axis.set_title(heads[row["target_name"]], pad=3, **look())
                    if c == 1:
                        axis.set_ylabel(f"F{100 * level:g}", **look())
                    if bool(row["success"]):
                        show(axis, decode(row))
                        below = [percent(row["probability"]), *verdict_lines(row, tile)]
                        axis.set_xlabel("\n".join(below), labelpad=2, **look())
                    else:
                        cause = "at the start:" if row["status"] == "start_at_level" else "not reached:"
                        if narrow():
                            cause = "\n".join(cause.rsplit(" ", 1))
                        empty_tile(axis, f"{cause}\n{percent(row['probability'])}")
    return canvas.figure
