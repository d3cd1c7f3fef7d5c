"""Fooling rates of universal perturbations against their length (jetley2018, section 2.2)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import LINES, literal_lines, narrow, small, width

LOOK = {
    "curved": (LINES[0], "o-", "most positive directions"), "negative": (LINES[1], "v-", "most negative directions"),
    "hi": (LINES[0], "o-", "first singular vectors"), "lo": (LINES[1], "v-", "last singular vectors"),
    "random": ("#555555", "s--", "random vectors"), "uap": (LINES[2], "d-", "UAP"),
}  # fmt: skip


def curved_universal(table: pd.DataFrame) -> Figure:
    """A panel a run: means over the draws in a band from the least to the most.

    Args:
        table: rows of `CurvedUniversal`, with a `run` column.
    """
    runs = [(str(run), rows) for run, rows in table.groupby("run", sort=False)]
    columns = 1 if narrow() else min(2, max(1, len(runs)))
    lines = max(1, -(-len(runs) // columns))
    figure = Figure(figsize=(width(), 2.5 * lines + 0.5), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    for axis in axes[len(runs) :]:
        axis.set_axis_off()
    for axis, (run, rows) in zip(axes, runs, strict=False):
        for kind, (colour, line, _) in LOOK.items():
            if not (rows["perturbation"] == kind).any():
                continue
            rates = rows[rows["perturbation"] == kind].groupby("share")["fooled"].agg(["mean", "min", "max"])
            axis.plot(rates.index, rates["mean"], line, color=colour, markersize=3)
            axis.fill_between(rates.index, rates["min"], rates["max"], color=colour, alpha=0.15, linewidth=0)
        axis.set_ylim(-0.03, 1.03)
        axis.set_title(literal_lines(run, 40), fontsize=small(8))
        axis.set_xlabel("length over the images' mean norm")
        axis.set_ylabel("share fooled")
    shown = [look for kind, look in LOOK.items() if kind in set(table["perturbation"])]
    handles = [axes[0].plot([], [], line, color=c, markersize=3, label=name)[0] for c, line, name in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=1 if narrow() else 4, frameon=False)
    return figure
