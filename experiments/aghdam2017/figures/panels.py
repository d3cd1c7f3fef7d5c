"""Panels for runs and readings of the radius, as the figures on spheres share them."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import PAGE, literal

from .score_ranges import COLUMNS, radius_label


def grid(
    table: pd.DataFrame, *, height: float, xlabel: str = "", sharey: bool = True
) -> tuple[Figure, list[tuple[Any, pd.DataFrame, int]]]:
    """A panel for each run and reading of the radius: the axis, its rows of the table, and its column.

    A single run has its readings side by side, several have a row of panels for each reading.

    Args:
        table: rows with `run`, `norm` and `pixel_scale`.
        height: of a row of panels, inches.
        xlabel: of the horizontal axes; the radius when empty, else the reading stands in the title.
        sharey: one vertical scale for all.
    """
    runs = list(dict.fromkeys(table["run"]))
    readings = list(dict.fromkeys(zip(table["norm"], table["pixel_scale"], strict=True)))
    depth = -(-len(runs) // COLUMNS)
    columns = len(readings) if len(runs) == 1 else -(-len(runs) // depth)
    rows = 1 if len(runs) == 1 else depth * len(readings)
    figure = Figure(figsize=(PAGE if columns > 1 else PAGE / 2, 0.55 + height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    for axis in axes.flat:
        axis.set_axis_off()
    panels = []
    for r, (norm, scale) in enumerate(readings):
        for n, run in enumerate(runs):
            row, column = (0, r) if len(runs) == 1 else (r * depth + n // columns, n % columns)
            axis = axes[row, column]
            axis.set_axis_on()
            title, reading = literal(str(run), {4: 24, 3: 30}.get(columns, 40)), radius_label(norm, scale)
            if xlabel:
                title += "\n" + reading.replace("radius ", "")
            axis.set_title(title)
            axis.set_xlabel(xlabel or (reading if columns < 4 else reading.replace("radius ", "")))
            part = table[(table["run"] == run) & (table["norm"] == norm) & (table["pixel_scale"] == scale)]
            panels.append((axis, part, column))
    return figure, panels
