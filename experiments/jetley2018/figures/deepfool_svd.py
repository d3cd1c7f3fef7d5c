"""Accuracy on images projected onto singular directions: figure 4 of jetley2018."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import LINES, literal, narrow, width
from advlab.statistics import share_interval

#: subspace -> colour, marker, line and label, as figure 5 has them too
LOOKS = {
    "hi": (LINES[0], "o", "-", r"$S_\mathrm{hi}$"),
    "lo": (LINES[1], "s", "-", r"$S_\mathrm{lo}$"),
    "random": (LINES[6], "^", ":", "random"),
}


def accuracies(table: pd.DataFrame) -> Figure:
    """A panel for each run: accuracy against the number of directions; horizontal lines without projection.

    Args:
        table: rows of `deepfool_svd` with a `run` column. Bands are 95 % Clopper-Pearson intervals over images.
    """
    runs = list(dict.fromkeys(table["run"])) or [""]
    columns = 1 if narrow() else min(3, len(runs))
    rows = -(-len(runs) // columns)
    figure = Figure(figsize=(width(), 0.7 + 2.0 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axis in grid.flat[len(runs) :]:
        axis.set_visible(False)
    handles: dict[str, Any] = {}
    for axis, run in zip(grid.flat, runs, strict=False):
        part = table[table["run"] == run]
        for subspace, (colour, marker, line, label) in LOOKS.items():
            points = part[part["subspace"] == subspace].sort_values("d")
            found = [share_interval(np.arange(row.images) < row.correct) for row in points.itertuples()]
            low, high, accuracy = ([getattr(each, name) for each in found] for name in ("low", "high", "estimate"))
            axis.fill_between(points["d"], low, high, color=colour, alpha=0.15, linewidth=0)
            (handles[label],) = axis.plot(points["d"], accuracy, line, color=colour, marker=marker, markersize=3)
        levels(axis, part, handles)
        axis.set_title(literal(str(run), 44 if columns == 1 else 32 if columns == 2 else 22))
        axis.set_xlabel("directions $d$")
        axis.set_ylim(-0.03, 1.03)
        axis.locator_params(axis="x", nbins=5)
    for axis in grid[:, 0]:
        axis.set_ylabel("accuracy")
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=2 if narrow() else 5, frameon=False
    )
    return figure


def levels(axis: Any, part: pd.DataFrame, handles: dict[str, Any]) -> None:
    """Horizontal lines: the accuracy on images as they are, and, if they are resampled, on those."""
    if not len(part):
        return
    row = part.iloc[0]
    whole, unchanged = row["whole"] / row["images"], row["unchanged"] / row["images"]
    handles["images as they are"] = axis.axhline(unchanged, color="#777777", linestyle="--", linewidth=0.9)
    if whole != unchanged:
        handles["resampled"] = axis.axhline(whole, color=LINES[2], linestyle="-.", linewidth=0.9)
