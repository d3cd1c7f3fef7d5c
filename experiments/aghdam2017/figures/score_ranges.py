"""Scores on spheres around an image: the figures 1 and 3 of aghdam2017."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from advlab.plotting.style import LINES, SCORES

from .panels import grid

FLOOR = 1e-12  # ranges of zero are drawn here
EDGE = "#333333"


def score_ranges(table: pd.DataFrame, *, over: str = "$T$ directions") -> Figure:
    """Log range of the score against the radius, one circle a (sample, radius), a square where one is misclassified.

    Args:
        table: rows of isotropy or symmetricity with a `run` column; a row of panels for each reading, a panel for each
            run. A single run has its readings side by side.
        over: what the range is taken over.
    """
    figure, panels = grid(table, height=2.3, around=0.75)
    lowest = table[["range", "noise_floor"]].clip(lower=FLOOR).min().min()  # NaN where nothing is finite
    bottom = 10 ** (math.floor(math.log10(lowest)) - 0.3) if lowest > 0 else FLOOR / 2
    mappable: Any = None
    for axis, rows, column in panels:
        mappable = _panel(axis, rows)
        axis.set_ylim(bottom, 2)
        if column == 0:
            axis.set_ylabel(f"range of score over {over}")
    bar = figure.colorbar(mappable, ax=figure.axes, fraction=0.05, pad=0.01, aspect=30)
    bar.set_label("mean score of the true class")
    single_column = all(column == 0 for _, _, column in panels)
    figure.legend(
        handles=_legend(), loc="outside lower center", ncols=1 if single_column else 4, frameon=False, columnspacing=1.2
    )
    return figure


def _panel(axis: Any, part: pd.DataFrame) -> Any:
    """One network and reading."""
    drawn = part.dropna(subset=["range"])
    wrong = drawn["misclassified"] > 0
    look: dict[str, Any] = {"cmap": SCORES, "vmin": 0, "vmax": 1, "rasterized": True}
    scale = 1.0 if drawn["sample"].nunique() <= 50 else 0.45  # hundreds of samples would hide each other
    mappable = None
    for rows, marker, size, edge in ((drawn[~wrong], "o", 9, "none"), (drawn[wrong], "s", 13, EDGE)):
        heights = rows["range"].clip(lower=FLOOR)
        mappable = axis.scatter(
            rows["radius"],
            heights,
            c=rows["mean_score"],
            marker=marker,
            s=size * scale,
            edgecolors=edge,
            linewidths=0.3,
            **look,
        )
    medians = drawn.groupby("radius")["range"].median().clip(lower=FLOOR)
    axis.plot(medians.index, medians.values, color=LINES[1], linewidth=1.3)
    floors = part.dropna(subset=["noise_floor"])
    if len(floors):
        heights = floors["noise_floor"].clip(lower=FLOOR)
        axis.scatter(floors["radius"], heights, marker="_", s=40, color=LINES[0], linewidths=1.0, zorder=3)
    axis.set_yscale("log")
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return mappable


def _legend() -> list[Any]:
    """Neutral markers: their colour in the panels is the score's."""
    marker: dict[str, Any] = {"linestyle": "none", "color": "#777777", "markersize": 4}
    return [
        Line2D([], [], marker="o", label="class kept in all directions", **marker),
        Line2D([], [], marker="s", markeredgecolor=EDGE, label="misclassified in some", **marker),
        Line2D([], [], color=LINES[1], linewidth=1.3, label="median over samples"),
        Line2D([], [], marker="_", linestyle="none", color=LINES[0], markersize=6, label="float32 noise of a sample"),
    ]
