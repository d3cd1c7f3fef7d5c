"""Shares of adversarial images that each defense makes right: the figure of `preprocessing`, table 2 of gunther2017."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advlab.plotting.style import LINES, literal, narrow, width

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
CLEAN = "clean"


def corrected_by_defense(summary: pd.DataFrame) -> Figure:
    """A panel for each run: a row for each defense, a point for each attack and for the clean images.

    Args:
        summary: of `preprocessing`. Bars are 95 % Clopper-Pearson intervals over images. Hollow points: float32 arithmetic.
    """
    runs = list(dict.fromkeys(summary["run"])) if len(summary) else []
    defenses = list(dict.fromkeys(summary["defense"])) if len(summary) else []
    columns = 1 if narrow() else max(1, min(len(runs), 2))
    rows = max(1, -(-len(runs) // columns))
    height = 0.5 + 0.25 * narrow() + rows * (0.55 + 0.24 * max(len(defenses), 3))
    figure = Figure(figsize=(width(), height), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axis, run in zip(axes, runs, strict=False):
        panel(axis, summary[summary["run"] == run], defenses)
        axis.set_title(literal(str(run), 30))
    for axis in axes[len(runs) :]:
        axis.set_axis_off()
    for axis in axes[max(0, len(runs) - columns) : len(runs)]:
        axis.set_xlabel("classified correctly, %")
        axis.xaxis.set_tick_params(labelbottom=True)
    if runs:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3 if narrow() else 6, frameon=False)
    return figure


def panel(axis: Axes, summary: pd.DataFrame, defenses: list[str]) -> None:
    """The points of one run."""
    kinds = list(dict.fromkeys(zip(summary["images"], summary["arithmetic"].fillna(""), strict=True)))
    names = list(dict.fromkeys(images for images, _ in kinds if images != CLEAN))
    for k, (images, arithmetic) in enumerate(sorted(kinds, key=lambda kind: kind[0] == CLEAN)):
        rows = summary[(summary["images"] == images) & (summary["arithmetic"].fillna("") == arithmetic)]
        colour = "#000000" if images == CLEAN else LINES[names.index(images) % (len(LINES) - 1)]
        marker = "|" if images == CLEAN else MARKERS[names.index(images) % len(MARKERS)]
        y = [defenses.index(name) + 0.7 * ((k + 0.5) / len(kinds) - 0.5) for name in rows["defense"]]
        axis.hlines(y, 100 * rows["low"], 100 * rows["high"], color=colour, linewidth=0.8)
        label = (
            "clean accuracy"
            if images == CLEAN
            else literal(images + (", float32" if arithmetic == "float32" else ""), 16)
        )
        axis.plot(
            100 * rows["right"], y, marker=marker, color=colour, linestyle="none", label=label,
            markersize=6 if images == CLEAN else 3.5, markerfacecolor="white" if arithmetic == "float32" else colour,
        )  # fmt: skip
    axis.set_yticks(range(len(defenses)), [literal(name, 16) for name in defenses])
    axis.set_ylim(len(defenses) - 0.4, -0.6)
    axis.set_xlim(-3, 103)
