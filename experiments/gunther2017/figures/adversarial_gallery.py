"""Digits or photographs with their adversarial images: figure 3 of gunther2017."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.gallery import LINE_HEIGHT, MARGIN, Canvas, blocks, caption, line_count, look, scale, tile_side
from advlab.plotting.pixels import decode, show

from .verdict import most_lines, verdict_lines, whose_verdict


def adversarial_gallery(table: pd.DataFrame) -> Figure:
    """A column for each image: the original, its adversarial images below, and their common class.

    Below each image stands the verdict of an open set network, where there is one; the common class is then marked as the
    network's.

    Args:
        table: rows of `adversarial_gallery` with a `run` column; several runs are drawn one below the other.
    """
    runs = list(dict.fromkeys(table["run"]))
    kinds = list(dict.fromkeys(table["image"]))
    placed = [(run, block) for run in runs for block in blocks(sorted(set(table.loc[table["run"] == run, "column"])))]
    columns = max(len(block) for _, block in placed)
    tile = tile_side(columns)
    heads = {name: caption(str(name), tile) for name in table["label_name"].unique()}
    verdict = whose_verdict(table)
    of_network = "network:\n" if verdict else ""
    feet = {name: of_network + caption(str(name), tile) for name in table["prediction_name"].unique()}
    lines = most_lines(table, tile) if verdict else 0
    canvas = Canvas(
        runs=len(placed), rows=len(kinds), columns=columns, tile=tile, margin=MARGIN, first_column_gap=0.0,
        row_gap=0.06 + lines * LINE_HEIGHT * scale(), lines_above=line_count(heads.values()) + bool(verdict),
        lines_below=line_count(feet.values()),
    )  # fmt: skip
    for r, (run, block) in enumerate(placed):
        canvas.title(r, str(run))
        if verdict:
            canvas.note(r, f"below each image: {verdict}'s verdict")
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
                    below = verdict_lines(row, tile)
                    if k == len(kinds) - 1:
                        names = dict.fromkeys(images.loc[images["image"] != kinds[0], "prediction_name"])
                        below += [feet[name] for name in names]
                    axis.set_xlabel("\n".join(below), labelpad=3, **look())
    return canvas.figure
