"""Accuracy against robustness behind projections: the figure of `suppression`."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

from advlab.plotting.style import literal_lines, narrow, small, width

from .subspace_lines import LOOK, kind_handles

TITLES = {"remove": "removed", "keep": "kept alone"}


def trade_off(summary: pd.DataFrame, *, gain: float, lost: float) -> Figure:
    """A panel for each run and mode: a curve over d for each subspace, accuracy against the median ratio of smallest norms.

    Args:
        summary: of `suppression`, of one run or several. Dotted lines mark the network without a projection; bars are 95 %
            intervals of the ratio. Infinite ratios lie on the right edge.
        gain: a ratio above is a gain in robustness.
        lost: at most this accuracy is lost where all is retained; both together are the shaded region.
    """
    runs, modes = list(dict.fromkeys(summary["run"])), [m for m in TITLES if (summary["mode"] == m).any()]
    down, across = (len(runs) * len(modes), 1) if narrow() else (len(runs), len(modes))
    figure = Figure(figsize=(width(), 0.7 + 0.2 * narrow() + 2.2 * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    ratios = summary["ratio"][(summary["ratio"] > 0) & (summary["ratio"] < math.inf)]
    left, right = min(ratios.min(), 1.0) / 1.15, max(ratios.max(), gain) * 1.15
    left, right = (left, right) if len(ratios) else (0.8, 1.25)
    for n, run in enumerate(runs):
        for k, mode in enumerate(modes):
            axis = grid[n * len(modes) + k, 0] if narrow() else grid[n, k]
            own = summary[(summary["run"] == run) & (summary["mode"] == mode)]
            _curves(axis, own, right)
            whole = own["accuracy_whole"].iloc[0]
            axis.fill_between([gain, right], whole - lost, 1.03, color="#009E73", alpha=0.15, linewidth=0)
            axis.set_title(f"{literal_lines(str(run), 40)}\ndirections {TITLES[mode]}", fontsize=small(8))
    for axis in grid[-1]:
        axis.set_xlabel("median ratio of smallest $L_2$ norms,\nwith to without the projection")
        axis.set_xscale("log")
        axis.set_xlim(left, right)
        axis.set_xticks(ticks_between(left, right))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
    for axis in grid[:, 0]:
        axis.set_ylabel("accuracy")
        axis.set_ylim(-0.02, 1.03)
    figure.legend(handles=kind_handles(summary), loc="outside lower center", ncols=3 if narrow() else 6, frameon=False)
    return figure


def ticks_between(left: float, right: float) -> list[float]:
    """Numbers between two, few enough to be read on a logarithmic axis."""
    for digits in ((1, 1.1, 1.2, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1,)):
        found = [digit * 10.0**k for k in range(-4, 6) for digit in digits if left <= digit * 10.0**k <= right]
        if len(found) <= 6:
            return found
    return found[:: -(-len(found) // 6)]


def _curves(axis: Any, own: pd.DataFrame, right: float) -> None:
    """The curves of one run and mode; an infinite ratio, of a network that mostly withstands the attack, is drawn at `right`."""
    axis.axvline(1, color="#555555", linestyle=":", linewidth=0.9)
    axis.axhline(own["accuracy_whole"].iloc[0], color="#555555", linestyle=":", linewidth=0.9)
    for kind, (_, colour, marker) in LOOK.items():
        rows = own[(own["subspace"] == kind) & (own["ratio"] > 0)]
        for _, drawn in rows.groupby("draw"):
            curve = drawn.sort_values("d")
            axis.plot(
                curve["ratio"].clip(upper=right),
                curve["accuracy"],
                color=colour,
                marker=marker,
                markersize=3,
                linewidth=0.8,
            )
            bars = curve[["ratio_low", "ratio_high"]].clip(lower=1e-4, upper=1e6)
            axis.hlines(
                curve["accuracy"], bars["ratio_low"], bars["ratio_high"], color=colour, linewidth=0.6, alpha=0.6
            )
    if not (own["ratio"] > 0).any():
        axis.text(
            0.5, 0.5, "no image is correct\nand was attacked", transform=axis.transAxes, ha="center", fontsize=small()
        )
