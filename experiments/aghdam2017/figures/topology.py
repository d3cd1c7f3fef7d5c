"""Mantel correlations of images' and features' distances: figure 4 of aghdam2017, and against depth."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from advlab.plotting.style import LINES, literal

from .panels import grid

LOOKS: dict[str, dict[str, Any]] = {
    "network": {"color": LINES[0], "linestyle": "-"},
    "linearisation": {"color": LINES[1], "linestyle": "--"},
    "random map": {"color": LINES[6], "linestyle": ":"},
}
NAMES = {"network": "network", "linearisation": "its linearisation at $x$", "random map": "random linear map"}


def mantel_by_radius(table: pd.DataFrame, band: float) -> Figure:
    """Mantel r against the radius: a dot for each (sample, radius) of the network, medians of network and controls.

    Args:
        table: topology rows of one layer, with a `run` column; a row of panels for each reading, a panel for each run.
        band: the paper's, drawn grey.
    """
    figure, panels = grid(table, height=2.2)
    for axis, part, column in panels:
        axis.axhspan(-band, band, color="#e8e8e8", zorder=0)
        own = part[part["source"] == "network"]
        size = 4 if own["sample"].nunique() <= 50 else 1
        axis.scatter(
            own["radius"], own["mantel_r"], s=size, color=LINES[5], alpha=0.5, linewidths=0, rasterized=True, zorder=1
        )
        for source, look in LOOKS.items():
            medians = part[part["source"] == source].groupby("radius")["mantel_r"].median()
            axis.plot(medians.index, medians.values, label=f"{NAMES[source]}, median", **look)
        axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if column == 0:
            axis.set_ylabel("Mantel $r$")
    _legend(figure, panels[0][0], band)
    return figure


def mantel_by_depth(table: pd.DataFrame) -> Figure:
    """Median and quartiles of Mantel r over (sample, radius) against depth, for network and controls.

    Args:
        table: topology rows of several layers, with a `run` column; panels as in `mantel_by_radius`.
    """
    depths = table.groupby("run")["depth"].max().max() + 1
    figure, panels = grid(table, height=2.7 if depths <= 30 else 2.2, xlabel="layer" if depths <= 30 else "depth")
    for axis, part, column in panels:
        for n, (source, look) in enumerate(LOOKS.items()):
            own = part[part["source"] == source]
            if own.empty:
                continue
            quartiles = own.groupby("depth")["mantel_r"].quantile([0.25, 0.5, 0.75]).unstack()
            axis.fill_between(quartiles.index, quartiles[0.25], quartiles[0.75], color=look["color"], alpha=0.2, lw=0)
            axis.plot(quartiles.index, quartiles[0.5], marker="os^"[n], markersize=3, label=NAMES[source], **look)
        names = part.groupby("depth")["layer"].first()
        if len(names) <= 30:
            axis.set_xticks(names.index, [literal(name, 18) for name in names], rotation=60, ha="right", fontsize=6)
        if column == 0:
            axis.set_ylabel("Mantel $r$")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _legend(figure: Figure, axis: Any, band: float) -> None:
    """The lines of one panel, a dot of the network and the paper's band, below the figure."""
    handles, _ = axis.get_legend_handles_labels()
    dot = Line2D(
        [], [], marker="o", linestyle="none", color=LINES[5], markersize=3, label="network, one (sample, radius)"
    )
    grey = Patch(color="#e8e8e8", label=f"$|r| < {band:g}$")
    figure.legend(handles=[dot, *handles, grey], loc="outside lower center", ncols=3, frameon=False)
