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
POOLED = {"relative": r"$\|a-b\| / (\|a\|+\|b\|)$", "decorrelation": "1 − correlation"}


def first_layers(table: pd.DataFrame) -> Figure:
    """Three panels a run: the relative difference of the outputs against the length, and what max-pooling makes of two measures.

    Args:
        table: rows of `first_layer` with a `run` column. Lines are medians over images; bands hold 95 % of them.
    """
    runs = list(dict.fromkeys(table["run"]))
    figure = Figure(figsize=(COLUMN, 0.55 + 3.1 * len(runs)), layout="constrained")
    parts: Any = figure.subfigures(len(runs), 1, squeeze=False)
    for run, (part,) in zip(runs, parts, strict=True):
        part.suptitle(literal(str(run), 48), fontsize=8)
        axes = part.subplot_mosaic([["difference"] * 2, list(POOLED)], height_ratios=[1, 1.1])
        axes["decorrelation"].sharey(axes["relative"])
        axes["decorrelation"].tick_params(labelleft=False)
        for key, (_, color, dashes) in CASES.items():
            rows = table[(table["run"] == run) & (table["kernels"] == key[0]) & (table["base"] == key[1])]
            _line(axes["difference"], rows, rows["relative"], color, linestyle=dashes)
            for measure in POOLED:
                _line(axes[measure], rows, rows[f"pooled_{measure}"] / rows[measure], color, linestyle=dashes)
        for axis in axes.values():
            axis.set_xscale("log")
            axis.set_xlabel(r"length $\|v\|$")
        axes["difference"].set_yscale("log")
        axes["difference"].set_ylabel(POOLED["relative"])
        axes["relative"].set_ylabel("after / before\nmax-pooling")
        for measure, label in POOLED.items():
            axes[measure].set_title(label)
            axes[measure].axhline(1, color="#777777", linewidth=0.8, linestyle=":")
    handles = [Line2D([], [], color=color, linestyle=dashes, label=label) for label, color, dashes in CASES.values()]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=2, frameon=False, columnspacing=1, labelspacing=0.2
    )
    return figure


def _line(axis: Any, rows: pd.DataFrame, values: pd.Series, color: str, **look: Any) -> None:
    """Median over images at each length, with a band."""
    spread = values.groupby(rows["length"]).quantile([0.5, 0.025, 0.975]).unstack()
    axis.fill_between(spread.index, spread[0.025], spread[0.975], color=color, alpha=0.12, linewidth=0)
    axis.plot(spread.index, spread[0.5], color=color, **{"marker": "o", "markersize": 2.5, "linewidth": 1, **look})
