"""Scores on spheres around an image: the figures 1 and 3 of aghdam2017."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from advlab.plotting.style import LINES, narrow

from .panels import grid, is_slim
from .radius_axis import RadiusAxis

FLOOR = 1e-12  # ranges below it, and of zero, are drawn here, on a line that says so
SUREST = 1e-8  # 1 - score: what is surer has the same colour
EDGE = "#333333"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
JITTER = 0.32  # of the distance of two radii: samples of one radius stand beside each other


def score_ranges(table: pd.DataFrame, *, over: str = "directions") -> Figure:
    """Log range of the score against the radius, one dot a (sample, radius), a square where one is misclassified.

    Dots of one radius are shifted sideways, each sample always by the same amount. Epsilon stands apart from the other radii.

    Args:
        table: rows of isotropy or symmetricity with a `run` column; a row of panels for each reading, a panel for each
            run. A single run has its readings side by side.
        over: what the range is taken over.
    """
    figure, panels = grid(table, height=2.3, around=1.25 if narrow() else 0.95)
    lowest = table[["range", "noise_floor"]].clip(lower=FLOOR).min().min()  # NaN where nothing is finite
    bottom = 10 ** (math.floor(math.log10(lowest)) - 0.3) if lowest > 0 else FLOOR / 2
    mappable: Any = None
    for axis, rows, column in panels:
        mappable = _panel(axis, rows, small=narrow() or len({c for _, _, c in panels}) > 2)
        axis.set_ylim(bottom, 2)
        trials = " to ".join(f"{t:g}" for t in sorted({rows["trials"].min(), rows["trials"].max()}))
        axis.set_title(f"{axis.get_title()}\n$n$ = {rows['sample'].nunique()}, $T$ = {trials}", fontsize=8)
        if column == 0:
            axis.set_ylabel("range of score\n" * narrow() + "range of score " * (not narrow()) + f"over $T$ {over}")
    place: dict[str, Any] = {"location": "top", "aspect": 40} if narrow() else {"fraction": 0.05, "aspect": 30}
    bar: Any = figure.colorbar(mappable, ax=[axis for axis, _, _ in panels], pad=0.01, extend="min", **place)
    bar.set_label("1 − mean score of the true class")
    bar.solids.set_alpha(1)
    handles = _legend(any(rows["noise_floor"].notna().any() for _, rows, _ in panels))
    if bool((table[["range", "noise_floor"]] < FLOOR).any(axis=None)):
        for axis, _, _ in panels:
            axis.axhline(FLOOR, color=EDGE, linewidth=0.6, linestyle=":", zorder=1)
        handles.append(Line2D([], [], color=EDGE, linewidth=0.6, linestyle=":", label=f"{FLOOR:.0e} or less"))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=2 if is_slim(figure) else min(len(handles), 6), frameon=False,
        columnspacing=1.0,
    )  # fmt: skip
    return figure


def _panel(axis: Any, part: pd.DataFrame, *, small: bool) -> Any:
    """One network and reading."""
    drawn = part.dropna(subset=["range"])
    radii = RadiusAxis(part["radius"])
    spread = drawn["range"].clip(lower=FLOOR).groupby(drawn["radius"]).quantile(list(QUANTILES)).unstack()
    mappable = _dots(axis, drawn, radii, 0.5 if small else 1.0)
    if len(spread):
        for low, high, alpha in ((0.05, 0.95, 0.16), (0.25, 0.75, 0.28)):
            radii.spread(axis, spread, low, high, color=LINES[1], alpha=alpha, linewidth=0, zorder=2)
        axis.plot(*radii.curve(spread[0.5]), color=LINES[1], linewidth=1.3, marker="o", markersize=2, zorder=3)
    floors = part.dropna(subset=["noise_floor"])
    if len(floors):
        heights = floors["noise_floor"].clip(lower=FLOOR)
        axis.scatter(
            radii.places(floors["radius"]), heights, marker="_", s=30, color=LINES[0], linewidths=0.9, zorder=4
        )
    axis.set_yscale("log")
    radii.label(axis, ticks=4 if narrow() else 5)
    return mappable


def _dots(axis: Any, drawn: pd.DataFrame, radii: RadiusAxis, scale: float) -> Any:
    """The samples, coloured by 1 - their mean score."""
    samples = {sample: n for n, sample in enumerate(sorted(set(drawn["sample"])))}
    turn = np.array(
        [(0.618034 * samples[sample]) % 1 - 0.5 for sample in drawn["sample"]]
    )  # even, whatever their number
    steps = np.diff(sorted({*radii.places(pd.Index(radii.radii))}))
    places = radii.places(drawn["radius"]) + 2 * JITTER * (float(steps.min()) if len(steps) else 1.0) * turn
    many = len(samples) > 50
    wrong = (drawn["misclassified"] > 0).to_numpy()
    look: dict[str, Any] = {
        "cmap": "viridis", "norm": LogNorm(SUREST, 1), "rasterized": True, "alpha": 0.5 if many else 0.8,
    }  # fmt: skip
    mappable = None
    size = (0.3 if many else 0.7) * scale
    for chosen, marker, area, edge in ((~wrong, "o", 9, "none"), (wrong, "s", 11, EDGE)):
        heights = drawn["range"].clip(lower=FLOOR)[chosen]
        unsure = (1 - drawn["mean_score"]).clip(lower=SUREST)[chosen]
        mappable = axis.scatter(
            places[chosen], heights, c=unsure, marker=marker, s=area * size, edgecolors=edge,
            linewidths=0.12 if many else 0.3, **look,
        )  # fmt: skip
    return mappable


def _legend(noise: bool) -> list[Any]:
    """Neutral markers: their colour in the panels is the score's."""
    marker: dict[str, Any] = {"linestyle": "none", "color": "#777777", "markersize": 4}
    handles = [
        Line2D([], [], marker="o", label="class kept", **marker),
        Line2D([], [], marker="s", markeredgecolor=EDGE, label="misclassified in some", **marker),
        Line2D([], [], color=LINES[1], linewidth=1.3, marker="o", markersize=2, label="median of samples"),
        Patch(color=LINES[1], alpha=0.4, linewidth=0, label="middle 50 %"),
        Patch(color=LINES[1], alpha=0.16, linewidth=0, label="middle 90 %"),
    ]
    if noise:
        handles.append(
            Line2D([], [], marker="_", linestyle="none", color=LINES[0], markersize=6, label="float32 noise")
        )
    return handles
