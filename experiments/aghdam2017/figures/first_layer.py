"""The first convolution of networks on permuted perturbations: the figure of `first_layer`."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advlab.plotting.style import COLUMN, LINES, literal

CASES = {  # (kernels, base) -> label, colour, dashes
    ("network", "image"): ("network's kernels, image", LINES[0], "-"),
    ("network", "black"): ("network's kernels, black", LINES[0], "--"),
    ("random", "image"): ("random kernels, image", LINES[1], "-"),
    ("random", "black"): ("random kernels, black", LINES[1], "--"),
}
POOLED = {"relative": (r"$\|a-b\| / (\|a\|+\|b\|)$", "o"), "decorrelation": ("1 − correlation", "^")}


def first_layers(table: pd.DataFrame) -> Figure:
    """Two panels a run: the relative difference of the outputs against the length, and what max-pooling makes of it.

    Args:
        table: rows of `first_layer` with a `run` column. Lines are medians over images; bands hold 95 % of them.
    """
    runs = list(dict.fromkeys(table["run"]))
    figure = Figure(figsize=(COLUMN, 0.75 + 1.85 * len(runs)), layout="constrained")
    panels = figure.subplots(len(runs), 2, squeeze=False)
    for (left, right), run in zip(panels, runs, strict=True):
        for key, (_, color, dashes) in CASES.items():
            rows = table[(table["run"] == run) & (table["kernels"] == key[0]) & (table["base"] == key[1])]
            _line(left, rows, rows["relative"], color, linestyle=dashes, marker="o")
            for measure, (_, marker) in POOLED.items():
                _line(right, rows, rows[f"pooled_{measure}"] / rows[measure], color, linestyle=dashes, marker=marker)
        right.axhline(1, color="#777777", linewidth=0.8, linestyle=":")
        for axis in (left, right):
            axis.set_xscale("log")
        left.set_yscale("log")
        left.set_ylabel(("" if len(runs) == 1 else literal(str(run), 28) + "\n") + r"$\|a-b\| / (\|a\|+\|b\|)$")
        right.set_ylabel("after / before max-pooling")
    for axis in panels[-1]:
        axis.set_xlabel(r"length $\|v\|$")
    if len(runs) == 1:
        figure.suptitle(literal(str(runs[0]), 48), fontsize=8)
    handles: list[Any] = [
        Line2D([], [], color=color, linestyle=dashes, label=label) for label, color, dashes in CASES.values()
    ]
    handles += [
        Line2D([], [], color="#444444", marker=marker, linestyle="none", markersize=4, label=label)
        for label, marker in POOLED.values()
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=2, frameon=False, columnspacing=1, labelspacing=0.2
    )
    return figure


def _line(axis: Any, rows: pd.DataFrame, values: pd.Series, color: str, **look: Any) -> None:
    """Median over images at each length, with a band."""
    spread = values.groupby(rows["length"]).quantile([0.5, 0.025, 0.975]).unstack()
    axis.fill_between(spread.index, spread[0.025], spread[0.975], color=color, alpha=0.12, linewidth=0)
    axis.plot(spread.index, spread[0.5], color=color, **{"markersize": 3, "linewidth": 1, **look})
