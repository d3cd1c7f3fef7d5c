"""Mean curvature of the boundary near natural, DeepFooled and noisy images, and the ROC (jetley2018, section 2.2)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from advlab.plotting.style import LINES, literal_lines, narrow, small, width

LOOK = {"natural": (LINES[0], "-"), "adversarial": (LINES[1], "-"), "noise": (LINES[6], "--")}


def curvature_sign(table: pd.DataFrame) -> Figure:
    """Of each run the cumulative distributions, and beside them (in a column: below) the ROC.

    Args:
        table: rows of `CurvatureSign`, with a `run` column.
    """
    runs = [(str(run), rows) for run, rows in table.groupby("run", sort=False)]
    panels = max(1, len(runs))  # empty where DeepFool fooled the network on no image
    rows_of_panels, columns = (2 * panels, 1) if narrow() else (panels, 2)
    figure = Figure(figsize=(width(), 2.2 * rows_of_panels + 0.4), layout="constrained")
    axes = figure.subplots(rows_of_panels, columns, squeeze=False).reshape(-1, 2)
    for (left, right), (run, rows) in zip(axes, runs, strict=False):
        for kind, (colour, line) in LOOK.items():
            values = np.sort(rows[kind].dropna().to_numpy())
            if len(values):
                left.step(values, np.arange(1, len(values) + 1) / len(values), color=colour, linestyle=line)
            if kind != "natural":
                _roc(right, rows, kind, colour, line)
        left.axvline(0, color="#888888", linewidth=0.6)
        left.set_title(literal_lines(run, 40), fontsize=small(8))
        left.set_xlabel("mean curvature, a pixel")
        left.set_ylabel("share of images")
        left.xaxis.set_major_locator(MaxNLocator(4))
        right.plot([0, 1], [0, 1], color="#888888", linewidth=0.6)
        right.set_xlabel("natural images taken for attacked")
        right.set_ylabel("images found")
    handles = [left.plot([], [], color=c, linestyle=s, label=k)[0] for k, (c, s) in LOOK.items()] if runs else []
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _roc(axis: Any, rows: pd.DataFrame, kind: str, colour: str, line: str) -> None:
    """The ROC of one kind of images: those of smaller curvature, in the sign of most natural ones, are taken for attacked."""
    natural, others = (rows[name].dropna().to_numpy() for name in ("natural", kind))
    if not len(natural) or not len(others):
        return
    sign = 1 if np.median(natural) >= 0 else -1
    levels = np.concatenate([[-np.inf], np.sort(sign * np.concatenate([natural, others]))])
    shares = [(sign * values[:, None] <= levels).mean(0) for values in (natural, others)]
    axis.plot(*shares, color=colour, linestyle=line)
