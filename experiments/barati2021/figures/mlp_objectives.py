"""Classes and objectives of a network over a square: figure 4 of barati2021."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from advlab.plotting.style import LINES, literal, narrow, width

COLOUR_MAP = "cividis"  # sequential, monotone in lightness, the same to the colour-blind
TITLES = {"output": "class", "adversarial": "adversarial objective", "hard": "hard objective"}
TWO_LINES = {column: title.replace(" objective", "\nobjective") for column, title in TITLES.items()}
LOSSES = {
    "label": r"$-\log\,\max\,\mathrm{softmax}$",
    "entropy": "entropy",
    "margin": r"mean $\max(0, 1 - h^2)$",
    "square": r"mean $1 - h^2$",
}


#: hard objectives beside that of the last hidden layer
ELSEWHERE = {
    "hard_1": "hard objective\nhidden layer 1",
    "hard_2": "hard objective\nhidden layer 2",
    "other_hard": "hard objective\nanother network",
}
LOOK: dict[str, Any] = {"origin": "lower", "extent": (-1, 1, -1, 1), "interpolation": "nearest"}


def objective_panels(table: pd.DataFrame) -> Figure:
    """A row of three panels a run: classes, adversarial and hard objective of the run's first network.

    The last row has the hard objectives of the first run's other layers, and of another network, where they were measured.
    Colours of the objectives run from the 1st to the 99th percentile of the square.

    Args:
        table: rows of mlp_objectives with a `run` column.
    """
    runs = [rows for _, rows in table.groupby(["run", "loss"], sort=False)]
    elsewhere = [runs[0]] if runs[0]["hard_1"].notna().all() else []
    figure = Figure(figsize=(width(), 0.15 + (1.75 if narrow() else 2.2) * len(runs + elsewhere)), layout="constrained")
    axes = figure.subplots(len(runs + elsewhere), 3, squeeze=False, sharex=True, sharey=True)
    for row, rows in zip(axes, runs, strict=False):
        first = rows[rows["network"] == rows["network"].iloc[0]]
        draw_classes(row[0], first)
        for axis, column in zip(row[1:], ("adversarial", "hard"), strict=True):
            loss = LOSSES[first["loss"].iloc[0]]
            draw_objective(axis, first, column, TWO_LINES[column] if narrow() else f"{TITLES[column]}\n{loss}")
        if table["run"].nunique() > 1:
            row[0].set_title(f"{literal(str(first['run'].iloc[0]), 15 if narrow() else 36)}\n{TITLES['output']}")
    for rows in elsewhere:
        first = rows[rows["network"] == rows["network"].iloc[0]]
        for axis, (column, title) in zip(axes[-1], ELSEWHERE.items(), strict=True):
            draw_objective(axis, first, column, title.replace("hard objective\n", "hard,\n") if narrow() else title)
    for n, row in enumerate(axes):
        loss = LOSSES[(runs + elsewhere)[n]["loss"].iloc[0]]
        row[0].set_ylabel(f"{loss}\n$x_2$" if narrow() else "$x_2$")
    for axis in axes[-1]:
        axis.set_xlabel("$x_1$")
    return figure


def draw_classes(axis: Any, rows: pd.DataFrame) -> None:
    """The classes of one network over the square."""
    square = rows.pivot(index="x2", columns="x1", values="output")
    classes = int(square.to_numpy().max()) + 1
    colours = ListedColormap([LINES[k % len(LINES)] for k in range(classes)])
    drawn = axis.imshow(square, cmap=colours, vmin=-0.5, vmax=classes - 0.5, **LOOK)
    bar = axis.figure.colorbar(drawn, ax=axis, ticks=range(classes), **bar_place())
    bar.ax.tick_params(length=0)
    axis.set_title(TITLES["output"])
    show_square(axis)


def draw_objective(axis: Any, rows: pd.DataFrame, column: str, title: str) -> None:
    """One objective of one network over the square."""
    low, high = (float(q) for q in rows[column].quantile([0.01, 0.99]))
    square = rows.pivot(index="x2", columns="x1", values=column)
    drawn = axis.imshow(square, cmap=COLOUR_MAP, vmin=low, vmax=max(high, low + 1e-9), **LOOK)
    bar = axis.figure.colorbar(drawn, ax=axis, extend="both", **bar_place())
    if narrow():
        bar.locator = MaxNLocator(2)
        bar.update_ticks()
    axis.set_title(title)
    show_square(axis)


def bar_place() -> dict[str, Any]:
    """Beside a panel; below it in a figure of one column."""
    return {"location": "bottom", "fraction": 0.06, "pad": 0.05} if narrow() else {"fraction": 0.046, "pad": 0.03}


def show_square(axis: Any) -> None:
    """No grid above the picture, and few ticks."""
    axis.grid(visible=False)
    axis.set_xticks([-1, 0, 1])
    axis.set_yticks([-1, 0, 1])
