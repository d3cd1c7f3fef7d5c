"""Classifiers trained on equispaced and on Chebyshev grids: figure 2 of barati2021."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogFormatter, NullLocator

from advlab.plotting.style import LINES, literal, narrow, small, width

from .interval_panels import RED, X_LIMITS, curve, shade_wrong_signs

GRID_NAMES = {
    "equispaced": "$E_m$, equispaced", "roots": "$C_m$, roots of $T^*_m$", "roots+boundary": "roots and {0, 1}",
    "lobatto": "Lobatto points", "lobatto_interior": "Lobatto without {0, 1}",
}  # fmt: skip
CUT = 2.2  # panels of classifiers end at -CUT and CUT, where most stay


def trained_curves(table: pd.DataFrame, grids: Iterable[str], sizes: Iterable[int]) -> Figure:
    """A row of classifiers for each of some grids, a panel for each of some m; below, δ, ε and |f| over all m.

    Panels are cut at the same height, and where a classifier goes beyond, they say how far. In a figure of one column two
    panels stand beside each other, and the three below likewise.

    Args:
        table: rows of `training_grids` with a `run` column; the rows of each run follow those of the one before.
        grids: those drawn as rows, from the top, where they are measured; the first two measured ones if none is.
        sizes: the m that are drawn, where they are measured; the first four measured ones if none is.
    """
    runs = list(dict.fromkeys(table["run"]))
    measured_sizes, measured_grids = (list(dict.fromkeys(table[key])) for key in ("m", "grid"))
    drawn_sizes = [m for m in sizes if m in measured_sizes] or measured_sizes[:4]
    drawn_grids = [grid for grid in grids if grid in measured_grids] or measured_grids[:2]
    rows = [
        (run, grid) for run in runs for grid in drawn_grids if ((table["run"] == run) & (table["grid"] == grid)).any()
    ]
    columns = min(2, len(drawn_sizes)) if narrow() else len(drawn_sizes)
    rows_a_grid = -(-len(drawn_sizes) // columns)
    heights = [0.5 + (1.3 if narrow() else 1.45) * len(rows) * rows_a_grid, 3.9 if narrow() else 2.2]
    figure = Figure(figsize=(width(), sum(heights)), layout="constrained")
    subfigures: Any = figure.subfigures(2, 1, height_ratios=heights)
    upper, lower = subfigures
    axes = upper.subplots(len(rows) * rows_a_grid, columns, squeeze=False, sharex=True, sharey=True)
    for panels, (run, grid) in zip(axes.reshape(len(rows), -1), rows, strict=True):
        classifiers = table[(table["run"] == run) & (table["grid"] == grid)]
        for panel in panels[len(drawn_sizes) :]:
            panel.set_axis_off()
        for panel, m in zip(panels, drawn_sizes, strict=False):
            classifier = classifiers[classifiers["m"] == m]
            if classifier.empty:
                panel.set_axis_off()
            else:
                trained_panel(panel, classifier, m)
        for panel in panels[::columns]:
            panel.set_ylabel(GRID_NAMES.get(grid, grid).replace(", ", "\n") + "\n$f(x)$")
        if len(runs) > 1:
            name_run(panels[0], classifiers)
    for panel in axes[-1]:
        panel.set_xlabel("$x$")
    if len(runs) == 1:
        first = table.iloc[0]
        break_ = "\n" if narrow() else "; "
        what = f"{str(first['basis']).capitalize()} features of degree {first['degree']}"
        upper.suptitle(f"{what}{break_}panels are cut at $f = \\pm{CUT:g}$", fontsize=8)
    size_panels(lower, table, runs)
    return figure


def name_run(panel: Any, rows: pd.DataFrame) -> None:
    """Write the run of some rows, with its basis and degree, above the title of a panel."""
    first, title = rows.iloc[0], panel.get_title()
    panel.set_title("")
    run = literal(str(first["run"]), 30 if narrow() else 24)
    break_ = "\n" if narrow() else ": "
    said = f"{first['basis']}, $n = {first['degree']}$; cut at $\\pm{CUT:g}$"
    panel.set_title(f"{run}{break_}{said}\n{title}", loc="left")


def trained_panel(axis: Any, rows: pd.DataFrame, m: int) -> None:
    """One trained classifier, its training points and where its sign is wrong."""
    f = curve(rows)
    labels = rows[rows["quantity"] == "label"]
    wrong = float(rows[rows["quantity"] == "wrong_share"]["value"].iloc[0])
    shade_wrong_signs(axis, f, f.index.to_series() - 0.5)
    axis.axvline(0.5, color="#777777", linewidth=0.6, linestyle=":")
    axis.plot(f.index, f, color=RED)
    axis.scatter(labels["x"], labels["value"], s=4 if m < 50 else 1.5, color="black", zorder=3, linewidths=0)
    percent = f"{100 * wrong:.2g}" if wrong > 1e-9 else "0"
    axis.set_title(f"$m = {m}$: $\\delta$ = {percent} %" if narrow() else f"$m = {m}$: {percent} % wrong")
    highest, break_ = float(f.abs().max()), "\n" if narrow() else " "
    if highest > CUT:
        axis.text(0.03, 0.97, f"max $|f|${break_}{highest:.2g}", transform=axis.transAxes, va="top", fontsize=small(7))
    axis.set_xlim(*X_LIMITS)
    axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axis.set_ylim(-CUT, CUT)


def size_panels(figure: Any, table: pd.DataFrame, runs: list[str]) -> None:
    """Share of wrong signs, depth of the worst and largest |f| against m; a colour for each grid, a line style for each run."""
    axes = list((figure.subplots(2, 2) if narrow() else figure.subplots(1, 3)).flat)
    for axis in axes[3:]:
        axis.set_axis_off()
    grids = list(dict.fromkeys(table["grid"]))
    largest = 5 if narrow() else 6.5
    looks: list[dict[str, Any]] = [
        {"color": color, "marker": marker, "markersize": largest - 0.8 * n, "markerfacecolor": "none", "linewidth": 1}
        for n, (color, marker) in enumerate(zip(LINES, "os^vD", strict=False))
    ][: len(grids)]
    styles = dict(zip(runs, ["-", "--", ":", "-."] * len(runs), strict=False))
    for axis, quantity in zip(axes, ("wrong_share", "worst", "sup"), strict=False):
        rows = table[table["quantity"] == quantity].sort_values("m")
        if quantity == "worst":  # the least y f; the depth of an error is how far it lies below 0
            rows = rows.assign(value=(-rows["value"]).clip(lower=0))
        for (grid, run), values in rows.groupby(["grid", "run"], sort=False):
            axis.plot(values["m"], values["value"], linestyle=styles[run], **looks[grids.index(grid)])
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(FixedLocator(spaced_sizes(sorted(set(rows["m"])))))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(lambda m, _: f"{m:g}")
        axis.set_xlabel("$m$")
    for axis, label in zip(axes, (r"$\delta$: share of wrong signs", r"$\epsilon$: largest $-y f$"), strict=False):
        axis.set_ylabel(label)
        axis.set_yscale("symlog", linthresh=1e-3, linscale=0.5)
        axis.set_ylim(-2e-4, 1.2)
    axes[2].set_ylabel("largest $|f|$ on [0, 1]")
    axes[2].set_yscale("log")
    axes[2].yaxis.set_major_formatter(LogFormatter())
    axes[2].yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))
    names = [GRID_NAMES.get(grid, grid) for grid in grids]
    handles = [Line2D([], [], label=name, **look) for name, look in zip(names, looks, strict=True)]
    if len(runs) > 1:
        handles += [
            Line2D([], [], color="black", linestyle=styles[run], label=literal(str(run), 16 if narrow() else 30))
            for run in runs
        ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(2 if narrow() else 3, len(handles)), frameon=False
    )


def spaced_sizes(sizes: list[int]) -> list[int]:
    """Some of the sizes, far enough from each other that their labels do not touch on a logarithmic axis."""
    chosen = sizes[-1:]
    for m in reversed(sizes):
        if chosen[0] / m > (sizes[-1] / sizes[0]) ** (0.3 if narrow() else 0.14) * 1.02:
            chosen = [m, *chosen]
    return chosen
