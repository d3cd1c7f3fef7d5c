"""Networks trained with and without a perturbation, behind it: the figure of `preprocessing_training`."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from advlab.plotting.style import LINES, literal, literal_lines, narrow, width

CLEAN, PLAIN, UNCHANGED = "clean", "plain", "none"
#: whose points they are -> colour, marker, place beside the perturbation's line
NETWORKS = {
    "plain network, images as they are": ("#888888", "D", -0.22),
    "plain network": (LINES[0], "o", 0.0),
    "network trained under it": (LINES[1], "s", 0.22),
}


def trained_and_plain(table: pd.DataFrame) -> Figure:
    """A panel for the accuracy and one for what is corrected of each attack's images, for each run.

    Args:
        table: rows of `preprocessing_training` with a `run` column. Points are medians over seeds, lines reach from the
            smallest to the largest seed.
    """
    table = table.assign(
        shown=table["shown"].fillna(UNCHANGED), share=100 * table["right"] / table["total"].where(table["total"] > 0)
    )
    runs = list(dict.fromkeys(table["run"]))
    kinds = [CLEAN, *(name for name in dict.fromkeys(table["images"]) if name != CLEAN)]
    perturbations = [name for name in dict.fromkeys(table["trained"]) if name != PLAIN]
    columns = min(len(kinds), 2 if narrow() else 4)
    rows = -(-len(kinds) // columns)
    height = (0.5 + rows * (0.5 + 0.3 * len(perturbations))) * max(1, len(runs)) + 0.3 + 0.35 * narrow()
    figure = Figure(figsize=(width(), height), layout="constrained")
    parts: Any = figure.subfigures(max(1, len(runs)), 1, squeeze=False)
    for part, run in zip(parts[:, 0], runs, strict=False):
        part.suptitle(literal_lines(str(run), 48 if narrow() else 100), fontsize=8)
        axes = part.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        own = table[table["run"] == run]
        for axis, kind in zip(axes, kinds, strict=False):
            panel(axis, own[own["images"] == kind], perturbations)
            axis.set_xlabel("accuracy, %" if kind == CLEAN else f"{literal(kind, 10)} corrected, %")
        for axis in axes[len(kinds) :]:
            axis.set_axis_off()
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", markersize=4, label=words)
        for words, (colour, marker, _) in NETWORKS.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=1 if narrow() else 3, frameon=False)
    return figure


def panel(axis: Axes, rows: pd.DataFrame, perturbations: list[str]) -> None:
    """One kind of images: median and range over seeds of each network, a line for each perturbation."""
    for place, name in enumerate(perturbations):
        for (colour, marker, offset), (trained, shown) in zip(
            NETWORKS.values(), ((PLAIN, UNCHANGED), (PLAIN, name), (name, name)), strict=True
        ):
            shares = rows.loc[(rows["trained"] == trained) & (rows["shown"] == shown), "share"].dropna()
            if len(shares):
                y = place + offset
                axis.plot([shares.min(), shares.max()], [y, y], color=colour, linewidth=1)
                axis.plot(shares.median(), y, marker, color=colour, markersize=3.5)
    axis.xaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
    axis.set_yticks(range(len(perturbations)), [literal(name, 12) for name in perturbations])
    axis.set_ylim(len(perturbations) - 0.5, -0.5)
