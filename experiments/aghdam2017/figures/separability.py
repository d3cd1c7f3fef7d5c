"""Accuracy in pixels, features and controls: the figure of `separability`."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import COLUMN, LINES, literal, narrow, width

#: space -> label, colour and marker, from above
LOOK = {
    "network": (r"features $\Phi_L$", LINES[0], "o"),
    "pixels": ("pixels", LINES[1], "s"),
    "random_network": (r"$\Phi_L$, random weights", LINES[2], "^"),
    "random_map": ("random linear map", LINES[3], "D"),
}
TITLES = {"linear": "linear probe", "nearest": "nearest neighbour"}


def accuracies(summary: pd.DataFrame) -> Figure:
    """A panel for each classifier: the accuracy in every space, a line of points for each run and layer.

    Args:
        summary: of `separability`, of one run or of several. Bars are 95 % Clopper-Pearson intervals over test images.
    """
    lines = list(dict.fromkeys(zip(summary["run"], summary["layer"], strict=True)))
    runs = summary["run"].nunique()
    several = len(lines) > 1
    height = 1.15 + 0.3 * narrow() + 0.42 * max(2, len(lines))
    figure = Figure(figsize=(width() if runs > 1 else COLUMN, height), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for axis, (classifier, title) in zip(axes, TITLES.items(), strict=True):
        for n, (run, layer) in enumerate(lines):
            part = summary[
                (summary["run"] == run) & (summary["layer"] == layer) & (summary["classifier"] == classifier)
            ]
            _points(axis, part, n)
        axis.set_title(title)
        axis.set_xlabel("test accuracy" if narrow() else "accuracy on test images")
        low = float(summary["accuracy_low"].min())
        axis.set_xlim(max(-0.02, low - 0.1 * (1 - low)), 1 + 0.04 * (1 - low))
    names = [_name(run, layer, runs, several) for run, layer in lines]
    axes[0].set_yticks(range(len(lines)) if several else [], names if several else [])
    axes[0].set_ylim(len(lines) - 0.5, -0.5)
    if runs == 1:
        figure.suptitle(literal(str(lines[0][0]), 48), fontsize=8)
    handles = [
        axes[0].plot([], [], color=color, marker=marker, linestyle="none", markersize=4)[0]
        for _, color, marker in LOOK.values()
    ]
    labels = [label for label, _, _ in LOOK.values()]
    figure.legend(
        handles, labels, loc="outside lower center", ncols=4 if runs > 1 and not narrow() else 2, frameon=False
    )
    return figure


def _name(run: Any, layer: Any, runs: int, several: bool) -> str:
    """What a line is called: its run where there are several, and its layer."""
    shown = r"$\Phi_L$" if layer == "auto" else literal(str(layer), 20)
    if runs == 1:
        return shown if several else ""
    return literal(str(run), 16 if narrow() else 30) + ("" if layer == "auto" else f"\n{shown}")


def _points(axis: Any, part: pd.DataFrame, place: int) -> None:
    """The accuracies of one run and layer, in a row for each space."""
    for k, (space, (_, color, marker)) in enumerate(LOOK.items()):
        for row in part[part["space"] == space].itertuples():
            y = place + 0.2 * (k - 1.5)
            axis.plot([row.accuracy_low, row.accuracy_high], [y, y], color=color, linewidth=1)
            axis.plot(row.accuracy, y, color=color, marker=marker, markersize=4, linestyle="none", clip_on=False)
