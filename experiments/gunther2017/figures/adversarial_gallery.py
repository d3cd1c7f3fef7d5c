"""Digits or photographs with their adversarial images: figure 3 of gunther2017."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.gallery import MARGIN, Canvas, blocks, caption, line_count, look, tile_side
from advlab.plotting.pixels import decode, show


def adversarial_gallery(table: pd.DataFrame) -> Figure:
    """A column for each image: the original, its adversarial images below, and their common class.

    Args:
        table: rows of `adversarial_gallery` with a `run` column; several runs are drawn one below the other.
    """
    runs = list(dict.fromkeys(table["run"]))
    kinds = list(dict.fromkeys(table["image"]))
    placed = [(run, block) for run in runs for block in blocks(sorted(set(table.loc[table["run"] == run, "column"])))]
    columns = max(len(block) for _, block in placed)
    tile = tile_side(columns)
    heads = {name: caption(str(name), tile) for name in table["label_name"].unique()}
    feet = {name: caption(str(name), tile) for name in table["prediction_name"].unique()}
    canvas = Canvas(
        runs=len(placed), rows=len(kinds), columns=columns, tile=tile, margin=MARGIN, first_column_gap=0.0,
        row_gap=0.06, lines_above=line_count(heads.values()), lines_below=line_count(feet.values()),
    )  # fmt: skip
    for r, (run, block) in enumerate(placed):
        canvas.title(r, str(run))
        of_run = table[table["run"] == run]
        for c, column in enumerate(block):
            images = of_run[of_run["column"] == column]
            for k, kind in enumerate(kinds):
                for _, row in images[images["image"] == kind].iterrows():
                    axis = canvas.axis(r, k, c)
                    show(axis, decode(row))
                    if k == 0:
                        axis.set_title(heads[row["label_name"]], pad=3, **look())
                    if c == 0:
                        axis.set_ylabel(kind, **look())
                    if k == len(kinds) - 1:
                        names = dict.fromkeys(images.loc[images["image"] != kinds[0], "prediction_name"])
                        axis.set_xlabel("\n".join(feet[name] for name in names), labelpad=3, **look())
    return canvas.figure
