"""Networks trained with penalties on their derivatives: the figure of `gradient_penalty`."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from advlab.plotting.style import COLUMN, LINES, literal

MARKERS = "osD^vP*X"


def penalised_networks(table: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Two panels a run: smallest perturbation against clean accuracy, and the ratio of the ranges against the radius.

    Args:
        table: rows of `gradient_penalty` with a `run` column.
        summary: of the same table: medians over seeds with intervals.
    """
    runs = list(dict.fromkeys(table["run"]))
    penalties = list(dict.fromkeys(table["penalty"]))
    height = 0.5 + 0.14 * len(penalties) + 1.75 * len(runs)
    figure = Figure(figsize=(COLUMN, height), layout="constrained")
    panels = figure.subplots(len(runs), 2, squeeze=False)
    handles: dict[str, Any] = {}
    for (left, right), run in zip(panels, runs, strict=True):
        rows = summary[summary["run"] == run].set_index("penalty")
        radii = sorted(set(table.loc[table["run"] == run, "radius"]))
        for n, penalty in enumerate(penalties):
            if penalty not in rows.index:
                continue
            line = rows.loc[penalty]
            look = {
                "color": LINES[n % len(LINES)],
                "marker": MARKERS[n % len(MARKERS)],
                "markersize": 6 - 3 * n / len(penalties),  # those that coincide are all seen
                "markerfacecolor": "none",
                "linewidth": 1,
            }
            handles[penalty] = _point(left, line, look)
            if penalty != "none":
                _ratios(right, line, radii, look)
        right.axhline(1, color="#777777", linewidth=0.8, linestyle=":")
        if rows[[f"range_{radius:g}" for radius in radii]].notna().any(axis=None):  # else no image is compared
            right.set_xscale("log")
            right.set_yscale("log")
            right.yaxis.set_major_locator(MaxNLocator(5) if _narrow(right) else LogLocator())
            right.yaxis.set_major_formatter("{x:g}")
            right.yaxis.set_minor_formatter(NullFormatter())
        left.xaxis.set_major_locator(MaxNLocator(3))
        left.set_ylabel(r"smallest $L_2$ perturbation")
        if len(runs) > 1:
            left.set_title(literal(str(run), 44), loc="left")
        right.set_ylabel("range, with / without")
        left.margins(0.15)
    panels[-1][0].set_xlabel("clean accuracy")
    panels[-1][1].set_xlabel(r"radius $r$ ($L_2$)")
    if len(runs) == 1:
        figure.suptitle(literal(str(runs[0]), 48), fontsize=8)
    labels = ["no penalty" if penalty == "none" else literal(penalty, 60) for penalty in handles]
    figure.legend(list(handles.values()), labels, loc="outside lower center", ncols=1, frameon=False, labelspacing=0.2)
    return figure


def _narrow(axis: Any) -> bool:
    """Whether a logarithmic axis may hold no power of ten but one."""
    low, high = axis.get_ylim()
    return bool(high / low < 30)


def _point(axis: Any, line: pd.Series, look: dict[str, Any]) -> Any:
    """Median perturbation at the median accuracy, with the intervals of both."""
    axis.plot([line["accuracy_low"], line["accuracy_high"]], [line["length"]] * 2, color=look["color"], linewidth=1)
    axis.plot([line["accuracy"]] * 2, [line["length_low"], line["length_high"]], color=look["color"], linewidth=1)
    return axis.plot(line["accuracy"], line["length"], **{**look, "linestyle": "none"})[0]


def _ratios(axis: Any, line: pd.Series, radii: list[float], look: dict[str, Any]) -> None:
    """The ratio of the ranges at each radius, with its interval."""
    middle, low, high = ([line[f"range_{radius:g}{end}"] for radius in radii] for end in ("", "_low", "_high"))
    axis.fill_between(radii, low, high, color=look["color"], alpha=0.2, linewidth=0)
    axis.plot(radii, middle, **look)
