"""How the subspaces of figure 3 are drawn, and panels of lines against d."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from advlab.plotting.style import LINES, literal_lines, narrow, small, width

#: subspace -> label, colour and marker
LOOK = {
    "pos": (r"$S_{pos}$", LINES[1], "o"),
    "neg": (r"$S_{neg}$", LINES[0], "s"),
    "neg+pos": (r"$S_{neg \cup pos}$", LINES[2], "^"),
    "flat": (r"$S_{flat}$", LINES[4], "v"),
    "most": (r"$S_{most}$", LINES[3], "D"),
    "complement": ("complement", LINES[4], "v"),
    "hi": (r"$S_{hi}$", LINES[0], "o"),
    "lo": (r"$S_{lo}$", LINES[1], "s"),
    "random": ("random", LINES[6], "x"),
}


def panels(table: pd.DataFrame, *, rows: int, height: float, around: float) -> tuple[Figure, dict[str, list[Any]]]:
    """A column of `rows` panels for each run; in a figure of one column, runs stand below each other.

    Args:
        table: with the columns run and d.
        rows: panels of a run.
        height: of a panel, inches.
        around: of what stands above and below all panels.
    """
    runs = list(dict.fromkeys(table["run"]))
    down, across = (rows * len(runs), 1) if narrow() else (rows, len(runs))
    size = (width(), around + 0.3 * (len(runs) if narrow() else 1) + height * down)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharex=True)
    found = {}
    for n, run in enumerate(runs):
        axes = [grid[n * rows + k, 0] if narrow() else grid[k, n] for k in range(rows)]
        axes[0].set_title(literal_lines(str(run), 40 if narrow() or len(runs) < 3 else 26), fontsize=small(8))
        found[run] = axes
    for axis in grid[-1]:
        axis.set_xlabel("directions $d$ of each class")
    for axis in grid.flat:
        dimension_axis(axis, table)
    return figure, found


def dimension_axis(axis: Any, table: pd.DataFrame) -> None:
    """A horizontal axis of d that holds 0, linear up to 1 and logarithmic beyond."""
    largest = max(float(table["d"].max()), 1.0)
    axis.set_xscale("symlog", linthresh=1, linscale=0.4)
    axis.set_xlim(-0.15, largest * 1.25)
    axis.set_xticks([0, *(10**k for k in range(7) if 10**k <= largest)])
    axis.xaxis.set_minor_locator(NullLocator())


def line(axis: Any, rows: pd.DataFrame, column: str, kind: str, **look: Any) -> None:
    """The values of a column against d, in the mean over draws, with a band from the least to the largest of several."""
    by_d = rows.groupby("d")[column].agg(["mean", "min", "max"])
    _, colour, marker = LOOK[kind]
    style = {"color": colour, "marker": marker, "markersize": 3, **look}
    axis.plot(by_d.index, by_d["mean"], **style)
    if (by_d["max"] > by_d["min"]).any():
        axis.fill_between(by_d.index, by_d["min"], by_d["max"], color=colour, alpha=0.15, linewidth=0)


def kind_handles(table: pd.DataFrame) -> list[Line2D]:
    """Handles of the legend of the subspaces of a table."""
    present = set(table["subspace"])
    return [
        Line2D([], [], color=colour, marker=marker, markersize=3, label=label)
        for kind, (label, colour, marker) in LOOK.items()
        if kind in present
    ]
