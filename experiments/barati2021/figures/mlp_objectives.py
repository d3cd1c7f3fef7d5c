"""Classes and objectives of a network over a square: figure 4 of barati2021."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from advlab.plotting.style import LINES, PAGE, literal

COLOUR_MAP = "cividis"  # sequential, monotone in lightness, the same to the colour-blind
TITLES = {"output": "class", "adversarial": "adversarial objective", "hard": "hard objective"}
LOSSES = {
    "label": r"$-\log\,\max\,\mathrm{softmax}$",
    "entropy": "entropy",
    "margin": r"mean $\max(0, 1 - h^2)$",
    "square": r"mean $1 - h^2$",
}


def objective_panels(table: pd.DataFrame) -> Figure:
    """A row of three panels a run: classes, adversarial and hard objective of the run's first network.

    Colours of the objectives run from the 1st to the 99th percentile of the square.

    Args:
        table: rows of mlp_objectives with a `run` column.
    """
    runs = [rows for _, rows in table.groupby(["run", "loss"], sort=False)]
    figure = Figure(figsize=(PAGE, 0.15 + 2.2 * len(runs)), layout="constrained")
    axes = figure.subplots(len(runs), 3, squeeze=False, sharex=True, sharey=True)
    for row, rows in zip(axes, runs, strict=True):
        first = rows[rows["network"] == rows["network"].iloc[0]]
        for axis, column in zip(row, TITLES, strict=True):
            square = first.pivot(index="x2", columns="x1", values=column)
            look: dict[str, Any] = {"origin": "lower", "extent": (-1, 1, -1, 1), "interpolation": "nearest"}
            if column == "output":
                classes = int(square.to_numpy().max()) + 1
                colours = ListedColormap([LINES[k % len(LINES)] for k in range(classes)])
                drawn = axis.imshow(square, cmap=colours, vmin=-0.5, vmax=classes - 0.5, **look)
                bar = figure.colorbar(drawn, ax=axis, fraction=0.046, pad=0.03, ticks=range(classes))
                bar.ax.tick_params(length=0)
            else:
                low, high = (float(q) for q in first[column].quantile([0.01, 0.99]))
                drawn = axis.imshow(square, cmap=COLOUR_MAP, vmin=low, vmax=max(high, low + 1e-9), **look)
                figure.colorbar(drawn, ax=axis, fraction=0.046, pad=0.03, extend="both")
            axis.grid(visible=False)
            axis.set_xticks([-1, 0, 1])
            axis.set_yticks([-1, 0, 1])
            axis.set_title(TITLES[column] + ("" if column == "output" else f"\n{LOSSES[first['loss'].iloc[0]]}"))
        row[0].set_ylabel("$x_2$")
        if table["run"].nunique() > 1:
            row[0].set_title(f"{literal(str(first['run'].iloc[0]), 36)}\n{TITLES['output']}")
    for axis in axes[-1]:
        axis.set_xlabel("$x_1$")
    return figure
