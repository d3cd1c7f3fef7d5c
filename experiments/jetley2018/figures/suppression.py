"""Accuracy against robustness behind projections: the figure of `suppression`."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from advlab.plotting.style import literal_lines, narrow, small, width

from .subspace_lines import LOOK, kind_handles

TITLES = {"remove": "removed", "keep": "kept alone"}


def trade_off(summary: pd.DataFrame) -> Figure:
    """A panel for each run and mode: a curve over d for each subspace, accuracy against the median ratio of smallest norms.

    Args:
        summary: of `suppression`, of one run or several. The cross marks the network without a projection; points to the upper
            right of it would gain robustness without a loss. Bars are 95 % intervals of the ratio.
    """
    runs, modes = list(dict.fromkeys(summary["run"])), [m for m in TITLES if (summary["mode"] == m).any()]
    down, across = (len(runs) * len(modes), 1) if narrow() else (len(runs), len(modes))
    figure = Figure(figsize=(width(), 0.7 + 0.2 * narrow() + 2.2 * down), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    for n, run in enumerate(runs):
        for k, mode in enumerate(modes):
            axis = grid[n * len(modes) + k, 0] if narrow() else grid[n, k]
            own = summary[(summary["run"] == run) & (summary["mode"] == mode)]
            _curves(axis, own)
            axis.set_title(f"{literal_lines(str(run), 40)}\ndirections {TITLES[mode]}", fontsize=small(8))
    for axis in grid[-1]:
        axis.set_xlabel("median ratio of smallest $L_2$ norms, to no projection")
    for axis in grid[:, 0]:
        axis.set_ylabel("accuracy")
    figure.legend(handles=kind_handles(summary), loc="outside lower center", ncols=3 if narrow() else 6, frameon=False)
    return figure


def _curves(axis: Any, own: pd.DataFrame) -> None:
    """The curves of one run and mode."""
    whole = own["accuracy_whole"].iloc[0]
    axis.axvline(1, color="#555555", linestyle=":", linewidth=0.9)
    axis.axhline(whole, color="#555555", linestyle=":", linewidth=0.9)
    for kind, (_, colour, marker) in LOOK.items():
        rows = own[own["subspace"] == kind].dropna(subset=["ratio"])
        for _, drawn in rows.groupby("draw"):
            drawn = drawn.sort_values("d")
            axis.plot(drawn["ratio"], drawn["accuracy"], color=colour, marker=marker, markersize=3, linewidth=0.8)
            bars = drawn[["ratio_low", "ratio_high"]].clip(lower=1e-3, upper=1e3)
            axis.hlines(
                drawn["accuracy"], bars["ratio_low"], bars["ratio_high"], color=colour, linewidth=0.6, alpha=0.6
            )
    axis.set_xscale("log")
    axis.set_ylim(-0.02, 1.03)
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
