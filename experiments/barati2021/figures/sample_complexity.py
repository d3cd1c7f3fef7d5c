"""Agreement with a network against the number of points that another was trained on (barati2021, section IV-B)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter, ScalarFormatter

from advlab.plotting.style import LINES, literal_lines, narrow, width

#: density -> colour, marker, label
LOOKS = {
    "uniform": (LINES[6], "o", "uniform"),
    "adversarial": (LINES[1], "s", "adversarial objective"),
    "hard": (LINES[0], "^", "hard objective"),
    "expected": (LINES[2], "D", "expected loss of random networks"),
}
#: column -> title
PANELS = {
    "agreement": "on the square",
    "at_boundary": "where the objective is largest",
    "fitted": "on the training points",
}


def agreement_panels(table: pd.DataFrame) -> Figure:
    """Three panels a run, a line for each density: medians over teachers, bands their whole range.

    Args:
        table: rows of sample_complexity with a `run` column.
    """
    runs = [rows for _, rows in table.groupby(["run", "loss"], sort=False)]
    rows_a_run = len(PANELS) if narrow() else 1
    height = 1.0 + 1.45 * rows_a_run * len(runs) if narrow() else 0.6 + 2.05 * len(runs)
    figure = Figure(figsize=(width(), height), layout="constrained")
    grid = figure.subplots(len(runs) * rows_a_run, len(PANELS) // rows_a_run, squeeze=False, sharey=True)
    axes = grid.reshape(len(runs), len(PANELS))
    for row, rows in zip(axes, runs, strict=True):
        for axis, (column, title) in zip(row, PANELS.items(), strict=True):
            for density, (colour, marker, label) in LOOKS.items():
                by_points = rows[rows["density"] == density].groupby("points")[column]
                median, low, high = by_points.median(), by_points.min(), by_points.max()
                axis.fill_between(median.index, low, high, color=colour, alpha=0.13, linewidth=0)
                axis.plot(median.index, median, color=colour, marker=marker, markersize=3, label=label)
            axis.set_xscale("log")
            axis.set_xticks(sorted(rows["points"].unique()))
            axis.xaxis.set_major_formatter(ScalarFormatter())
            axis.xaxis.set_minor_locator(NullLocator())
            axis.set_title(title)
        if len(runs) > 1:
            name = str(rows["run"].iloc[0])
            if table.loc[table["run"] == name, "loss"].nunique() > 1:
                name += f", loss {rows['loss'].iloc[0]}"
            run = literal_lines(name, 34)
            row[0].set_title(f"{run}\n{row[0].get_title()}")
        for axis in row if narrow() else row[:1]:
            axis.set_ylabel("same class as\nthe teacher" if narrow() else "same class as the teacher")
            axis.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    for axis in grid[-1]:
        axis.set_xlabel("training points")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=1 if narrow() else 4, frameon=False, columnspacing=1.4
    )
    return figure
