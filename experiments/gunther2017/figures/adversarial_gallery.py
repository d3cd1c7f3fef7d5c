"""Digits or photographs with their adversarial images: figure 3 of gunther2017."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.gallery import MARGIN, TEXT, Canvas, caption, line_count, tile_side
from advlab.plotting.pixels import decode, show


def adversarial_gallery(table: pd.DataFrame) -> Figure:
    """A column for each image: the original, its adversarial images below, and their common class.

    Args:
        table: rows of `adversarial_gallery` with a `run` column; several runs are drawn one below the other.
    """
    runs = list(dict.fromkeys(table["run"]))
    kinds = list(dict.fromkeys(table["image"]))
    columns = max(part["column"].nunique() for _, part in table.groupby("run"))
    tile = tile_side(columns)
    heads = {name: caption(str(name), tile) for name in table["label_name"].unique()}
    feet = {name: caption(str(name), tile) for name in table["prediction_name"].unique()}
    canvas = Canvas(
        runs=len(runs), rows=len(kinds), columns=columns, tile=tile, margin=MARGIN, first_column_gap=0.0,
        row_gap=0.06, lines_above=line_count(heads.values()), lines_below=line_count(feet.values()),
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
