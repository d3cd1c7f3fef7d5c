"""Mantel correlations of images' and features' distances: figure 4 of aghdam2017, and against depth."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from advlab.plotting.style import LINES, literal, narrow, small

from .panels import grid, is_slim
from .radius_axis import RadiusAxis

LOOKS: dict[str, dict[str, Any]] = {
    "network": {"color": LINES[0], "linestyle": "-"},
    "linearisation": {"color": LINES[1], "linestyle": "--"},
    "random map": {"color": LINES[6], "linestyle": ":"},
    "random layers": {"color": LINES[2], "linestyle": "-."},
    "random layers, relu": {"color": LINES[3], "linestyle": (0, (6, 1, 1, 1, 1, 1))},
}
NAMES = {
    "network": "network",
    "linearisation": "its linearisation at $x$",
    "random map": "random linear map",
    "random layers": "random layers",
    "random layers, relu": "random layers, ReLU",
}
MARKERS = "os^Dv"
TICKS = (-1, -0.5, -0.2, -0.1, 0, 0.1, 0.2, 0.5, 1)


def mantel_by_radius(table: pd.DataFrame, band: float) -> Figure:
    """Mantel r against the radius: a dot for each (sample, radius) of the network; medians of network and controls.

    Bands hold nine tenths of the samples. The vertical axis is linear in the paper's band and logarithmic beyond.

    Args:
        table: topology rows of one layer, with a `run` column; a row of panels for each reading, a panel for each run.
        band: the paper's, drawn grey.
    """
    figure, panels = grid(table, height=2.4 if narrow() else 2.2, around=1.1 if narrow() else 0.55)
    sources = [source for source in LOOKS if source in set(table["source"])]
    for axis, part, column in panels:
        axis.axhspan(-band, band, color="#e8e8e8", zorder=0)
        radii = RadiusAxis(part["radius"])
        own = part[part["source"] == "network"]
        many = own["sample"].nunique() > 50
        axis.scatter(
            radii.places(own["radius"]), own["mantel_r"], s=1 if many or narrow() else 4, color=LINES[5],
            alpha=0.25 if many else 0.6, linewidths=0, rasterized=True, zorder=1,
        )  # fmt: skip
        for source in sources:
            values = part[part["source"] == source].dropna(subset=["mantel_r"])
            if values.empty:
                axis.plot([], [], label=NAMES[source], **LOOKS[source])
                continue
            spread = values.groupby("radius")["mantel_r"].quantile([0.05, 0.5, 0.95]).unstack()
            radii.spread(axis, spread, 0.05, 0.95, color=LOOKS[source]["color"], alpha=0.15, linewidth=0, zorder=1.5)
            axis.plot(*radii.curve(spread[0.5]), label=NAMES[source], marker="o", markersize=1.5, **LOOKS[source])
        radii.label(axis, ticks=4 if narrow() else 5)
        _scale(axis, table["mantel_r"], band)
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
    named = depths <= (12 if narrow() else 30)
    figure, panels = grid(
        table, height=(2.7 if named else 2.2) + 0.3 * narrow(), around=1.2 if narrow() else 0.7,
        xlabel="layer" if named else "depth",
    )  # fmt: skip
    sources = [source for source in LOOKS if source in set(table["source"])]
    for axis, part, column in panels:
        for n, source in enumerate(sources):
            own = part[part["source"] == source].dropna(subset=["mantel_r"])
            if own.empty:
                continue
            look = LOOKS[source]
            quartiles = own.groupby("depth")["mantel_r"].quantile([0.25, 0.5, 0.75]).unstack()
            axis.fill_between(quartiles.index, quartiles[0.25], quartiles[0.75], color=look["color"], alpha=0.2, lw=0)
            axis.plot(quartiles.index, quartiles[0.5], marker=MARKERS[n], markersize=2.5, **look)
        names = part.groupby("depth")["layer"].first()
        if named:
            labels = [literal(name, 10 if narrow() else 18) for name in names]
            axis.set_xticks(names.index, labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=small(6.5))
        axis.set_ylim(min(0, axis.get_ylim()[0]), 1)
        if column == 0:
            axis.set_ylabel("Mantel $r$")
    handles = [
        Line2D([], [], marker=MARKERS[n], markersize=3, label=NAMES[source], **LOOKS[source])
        for n, source in enumerate(sources)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=1 if narrow() else 5, frameon=False)
    return figure


def _scale(axis: Any, values: pd.Series, band: float) -> None:
    """Linear up to the band and logarithmic beyond, so that a random map's large r does not squeeze what is inside."""
    measured = values.dropna()
    low, high = (float(measured.min()), float(measured.max())) if len(measured) else (0.0, 0.0)
    axis.set_yscale("symlog", linthresh=band, linscale=0.5)
    ends = [1.15 * low if low < -band else min(low, -0.3 * band) - 0.15 * band, max(high, band) * 1.15]
    axis.set_ylim(*ends)
    ticks = sorted({*(tick for tick in TICKS if abs(tick) > 1.5 * band), -band, -band / 2, 0.0, band / 2, band})
    shown = [tick for tick in ticks if ends[0] <= tick <= ends[1]]
    axis.set_yticks(shown, [f"{tick:g}".replace("-", "−") for tick in shown])
    axis.yaxis.set_minor_locator(NullLocator())


def _legend(figure: Figure, axis: Any, band: float) -> None:
    """The lines of one panel, a dot of the network and the paper's band, below the figure."""
    handles, _ = axis.get_legend_handles_labels()
    dot = Line2D([], [], marker="o", linestyle="none", color=LINES[5], markersize=3, label="network, a sample")
    spread = Patch(color="#777777", alpha=0.3, linewidth=0, label="middle 90 % of samples")
    grey = Patch(color="#e8e8e8", label=f"$|r| < {band:g}$")
    columns = 1 if is_slim(figure) else 3
    figure.legend(handles=[dot, *handles, spread, grey], loc="outside lower center", ncols=columns, frameon=False)
