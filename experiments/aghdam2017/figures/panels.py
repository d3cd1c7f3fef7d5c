"""Panels for runs and readings of the radius, as the figures on spheres share them."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import PAGE, literal

COLUMNS = 4  # panels beside each other, at most


def radius_label(norm: str, pixel_scale: float) -> str:
    """Axis label of one reading of the radius, with its unit."""
    name = {"l2": r"$L_2$", "linf": r"$L_\infty$"}[norm]
    unit = "grey levels" if pixel_scale == 255 else f"pixels in [0, {pixel_scale:g}]"
    return f"radius $r$ ({name}, {unit})"


def grid(
    table: pd.DataFrame, *, height: float, around: float = 0.55, xlabel: str = "", sharey: bool = True
) -> tuple[Figure, list[tuple[Any, pd.DataFrame, int]]]:
    """A panel for each run and reading of the radius: the axis, its rows of the table, and its column.

    A single run has its readings side by side, several have a row of panels (or more, of `COLUMNS` at most) a reading.

    Args:
        table: rows with `run`, `norm` and `pixel_scale`.
        height: of a row of panels, inches.
        around: height of what stands above and below all panels, inches.
        xlabel: of the horizontal axes; the radius when empty, else the reading stands in the title.
        sharey: one vertical scale for all.
    """
    runs = list(dict.fromkeys(table["run"]))
    readings = list(dict.fromkeys(zip(table["norm"], table["pixel_scale"], strict=True)))
    rows_a_reading = -(-len(runs) // COLUMNS)
    columns = len(readings) if len(runs) == 1 else -(-len(runs) // rows_a_reading)
    rows = 1 if len(runs) == 1 else rows_a_reading * len(readings)
    figure = Figure(figsize=(PAGE if columns > 1 else PAGE / 2, around + height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    for axis in axes.flat:
        axis.set_axis_off()
    panels = []
    for reading_index, (norm, scale) in enumerate(readings):
        for run_index, run in enumerate(runs):
            row, column = reading_index * rows_a_reading + run_index // columns, run_index % columns
            if len(runs) == 1:
                row, column = 0, reading_index
            axis = axes[row, column]
            axis.set_axis_on()
            title, reading = literal(str(run), {4: 24, 3: 30}.get(columns, 40)), radius_label(norm, scale)
            if xlabel:
                title += "\n" + reading.replace("radius ", "")
            axis.set_title(title)
            axis.set_xlabel(xlabel or (reading if columns < 4 else reading.replace("radius ", "")))
            of_panel = table[(table["run"] == run) & (table["norm"] == norm) & (table["pixel_scale"] == scale)]
            panels.append((axis, of_panel, column))
    return figure, panels
