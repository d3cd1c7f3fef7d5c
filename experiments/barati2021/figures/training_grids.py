"""Classifiers trained on equispaced and on Chebyshev grids: figure 2 of barati2021."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogFormatter, NullLocator

from advlab.plotting.style import LINES, PAGE, literal

from .interval_panels import RED, X_LIMITS, curve, shade_wrong_signs

GRID_NAMES = {
    "equispaced": "$E_m$, equispaced", "roots": "$C_m$, roots of $T^*_m$", "roots+boundary": "roots and {0, 1}",
    "lobatto": "Lobatto points", "lobatto_interior": "Lobatto without {0, 1}",
}  # fmt: skip


def trained_curves(table: pd.DataFrame, grids: Iterable[str], sizes: Iterable[int]) -> Figure:
    """A row of classifiers for each of some grids, a panel for each of some m; below, δ, ε and |f| over all m.

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
    heights = [0.4 + 1.45 * len(rows), 2.2]
    figure = Figure(figsize=(PAGE, sum(heights)), layout="constrained")
    subfigures: Any = figure.subfigures(2, 1, height_ratios=heights)
    upper, lower = subfigures
    axes = upper.subplots(len(rows), len(drawn_sizes), squeeze=False, sharex=True, sharey=True)
    for panels, (run, grid) in zip(axes, rows, strict=True):
        classifiers = table[(table["run"] == run) & (table["grid"] == grid)]
        for panel, m in zip(panels, drawn_sizes, strict=True):
            classifier = classifiers[classifiers["m"] == m]
            if classifier.empty:
                panel.set_axis_off()
            else:
                trained_panel(panel, classifier, m)
        panels[0].set_ylabel(GRID_NAMES.get(grid, grid).replace(", ", "\n") + "\n$f(x)$")
        if len(runs) > 1:
            name_run(panels[0], classifiers)
    for panel in axes[-1]:
        panel.set_xlabel("$x$")
    if len(runs) == 1:
        first = table.iloc[0]
        upper.suptitle(f"{str(first['basis']).capitalize()} features of degree {first['degree']}", fontsize=8)
    size_panels(lower, table, runs)
    return figure


def name_run(panel: Any, rows: pd.DataFrame) -> None:
    """Write the run of some rows, with its basis and degree, above the title of a panel."""
    first, title = rows.iloc[0], panel.get_title()
    panel.set_title("")
    run = f"{literal(str(first['run']), 24)}: {first['basis']}, $n = {first['degree']}$"
    panel.set_title(f"{run}\n{title}", loc="left")


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
    axis.set_title(f"$m = {m}$: {percent} % wrong")
    axis.set_xlim(*X_LIMITS)
    axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axis.set_ylim(-2.2, 2.2)


def size_panels(figure: Any, table: pd.DataFrame, runs: list[str]) -> None:
    """Share of wrong signs, depth of the worst and largest |f| against m; a colour for each grid, a line style for each run."""
    axes = figure.subplots(1, 3)
    grids = list(dict.fromkeys(table["grid"]))
    looks: list[dict[str, Any]] = [
        {"color": LINES[n], "marker": "os^vD"[n], "markersize": 6.5 - n, "markerfacecolor": "none", "linewidth": 1}
        for n in range(len(grids))
    ]
    styles = dict(zip(runs, ["-", "--", ":", "-."] * len(runs), strict=False))
    for axis, quantity in zip(axes, ("wrong_share", "worst", "sup"), strict=True):
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
        handles += [Line2D([], [], color="black", linestyle=styles[run], label=literal(str(run), 30)) for run in runs]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)), frameon=False)


def spaced_sizes(sizes: list[int]) -> list[int]:
    """Some of the sizes, far enough from each other that their labels do not touch on a logarithmic axis."""
    chosen = sizes[-1:]
    for m in reversed(sizes):
        if chosen[0] / m > (sizes[-1] / sizes[0]) ** 0.14 * 1.02:
            chosen = [m, *chosen]
    return chosen
