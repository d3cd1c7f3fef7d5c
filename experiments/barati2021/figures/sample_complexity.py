"""Agreement with a network against the number of points that another was trained on (barati2021, section IV-B)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter, ScalarFormatter

from advlab.plotting.style import LINES, PAGE, literal

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
    figure = Figure(figsize=(PAGE, 0.6 + 2.05 * len(runs)), layout="constrained")
    axes = figure.subplots(len(runs), len(PANELS), squeeze=False, sharey=True, sharex="row")
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
            row[0].set_title(literal(f"{rows['run'].iloc[0]}, loss {rows['loss'].iloc[0]}", 44))
        row[0].set_ylabel("same class as the teacher")
        row[0].yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    for axis in axes[-1]:
        axis.set_xlabel("training points")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, columnspacing=1.4)
    return figure
