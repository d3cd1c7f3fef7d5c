"""Panels for runs and readings of the radius, as the figures on spheres share them."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import literal_lines, narrow, small, width

COLUMNS = 4  # panels beside each other, at most
NARROW_COLUMNS = 2  # the same in a figure of one column
READINGS = {"l2": "$L_2$", "linf": r"$L_\infty$"}


def radius_label(norm: str, pixel_scale: float) -> str:
    """Axis label of one reading of the radius, with its unit."""
    return f"radius $r$ ({READINGS[norm]}, {radius_unit(pixel_scale)})"


def radius_unit(pixel_scale: float) -> str:
    """Unit of a radius in words."""
    return "grey levels" if pixel_scale == 255 else f"pixels in [0, {pixel_scale:g}]"


def short_radius_label(norm: str, pixel_scale: float) -> str:
    """The same for narrow panels; of two lines in a figure of one column."""
    break_ = "\n" if narrow() else " "
    return f"$r$ ({READINGS[norm]},{break_}{radius_unit(pixel_scale)})"


def grid(
    table: pd.DataFrame, *, height: float, around: float = 0.55, xlabel: str = "", sharey: bool = True
) -> tuple[Figure, list[tuple[Any, pd.DataFrame, int]]]:
    """A panel for each run and reading of the radius: the axis, its rows of the table, and its column.

    A single run has its readings side by side, several have a row of panels (or more, of `COLUMNS` at most) a reading. In a
    figure of one column each run has a row of its own, with its readings side by side.

    Args:
        table: rows with `run`, `norm` and `pixel_scale`.
        height: of a row of panels, inches; a figure of one column takes four fifths of it.
        around: height of what stands above and below all panels, inches.
        xlabel: of the horizontal axes; the radius when empty, else the reading stands in the title.
        sharey: one vertical scale for all.
    """
    runs = list(dict.fromkeys(table["run"]))
    readings = list(dict.fromkeys(zip(table["norm"], table["pixel_scale"], strict=True)))
    places, rows, columns = panel_places(len(runs), len(readings))
    across = width() if columns > 1 or narrow() else width() / 2
    figure = Figure(
        figsize=(across, around + (0.8 if narrow() else 1.0) * height * rows + 0.2 * narrow()), layout="constrained"
    )
    axes = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    for axis in axes.flat:
        axis.set_axis_off()
    panels = []
    for (run_index, reading_index), (row, column) in places.items():
        run, (norm, scale) = runs[run_index], readings[reading_index]
        axis = axes[row, column]
        axis.set_axis_on()
        signs = 17 if narrow() and columns > 1 else {4: 20, 3: 28}.get(columns, 40)
        title = literal_lines(str(run), signs)
        if xlabel:
            title += (
                f"\n({READINGS[norm]}, {radius_unit(scale)})" if narrow() else "\n" + short_radius_label(norm, scale)
            )
        axis.set_title(title, fontsize=small(8))
        short = narrow() or columns == 4
        axis.set_xlabel(xlabel or (short_radius_label(norm, scale) if short else radius_label(norm, scale)))
        of_panel = table[(table["run"] == run) & (table["norm"] == norm) & (table["pixel_scale"] == scale)]
        panels.append((axis, of_panel, column))
    return figure, panels


def is_slim(figure: Figure) -> bool:
    """Whether a figure is about as wide as one column, as on a page one panel alone: its legend then has short lines."""
    return figure.get_figwidth() < width() * 0.75 or narrow()


def panel_places(runs: int, readings: int) -> tuple[dict[tuple[int, int], tuple[int, int]], int, int]:
    """Row and column of each (run, reading), and how many rows and columns there are."""
    pairs = [(run, reading) for reading in range(readings) for run in range(runs)]
    if runs == 1 or (narrow() and readings > 1):  # a row a run
        most = NARROW_COLUMNS if narrow() else readings
        columns = min(readings, most)
        rows_a_run = -(-readings // columns)
        places = {(run, k): (run * rows_a_run + k // columns, k % columns) for run, k in pairs}
        return places, runs * rows_a_run, columns
    rows_a_reading = -(-runs // (NARROW_COLUMNS if narrow() else COLUMNS))
    columns = -(-runs // rows_a_reading)
    places = {(run, k): (k * rows_a_reading + run // columns, run % columns) for run, k in pairs}
    return places, rows_a_reading * readings, columns
