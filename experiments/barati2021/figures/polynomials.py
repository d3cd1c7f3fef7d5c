"""Polynomial classifiers on [0, 1], their training points and their expected loss: figures 1 to 3 of barati2021."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from advlab.plotting.style import LINES, PAGE, literal

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

COLUMNS = 3  # panels beside each other, where nothing else sets their number
BLUE, RED, GREEN = LINES[0], LINES[1], LINES[2]
WRONG: dict[str, Any] = {"color": "#E69F00", "alpha": 0.35, "linewidth": 0.6}  # where a sign is wrong
SIDES = (-0.02, 1.02)  # signs are often wrong beside the ends only
BEYOND = 10  # the limits of every linear axis
GRID_NAMES = {
    "equispaced": "$E_m$, equispaced", "roots": "$C_m$, roots of $T^*_m$", "roots+boundary": "roots and {0, 1}",
    "lobatto": "Lobatto points", "lobatto_interior": "Lobatto without {0, 1}",
}  # fmt: skip


def two_point_curves(table: pd.DataFrame) -> Figure:
    """f_n and g_n for each n, shaded where their signs differ, and |f_n| and |g_n| of the largest n on a log axis.

    Args:
        table: rows of `bernstein_chebyshev` with a `run` column; the panels of each run follow those of the one before.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    panels: list[tuple[str, int, bool]] = []
    for run, part in table.groupby("run", sort=False):
        degrees = list(dict.fromkeys(part["degree"]))
        panels += [(str(run), n, False) for n in degrees] + [(str(run), max(degrees), True)]
    several = table["run"].nunique() > 1
    figure, axes = panel_grid(len(panels), several)
    for axis, (run, n, logarithmic) in zip(axes, panels, strict=False):
        part = table[(table["run"] == run) & (table["degree"] == n)]
        f, g = (curve(part[part["basis"] == basis]) for basis in ("bernstein", "chebyshev"))
        title = f"$n = {n}$"
        if logarithmic:
            g = g[g.abs() > 1e-6]  # some points of the curve are roots, and most roots none of its points
            axis.semilogy(f.index, f.abs(), color=BLUE)
            axis.semilogy(g.index, g.abs(), color=RED, linestyle="--")
            smallest = min(values.abs().quantile(0.02) for values in (f, g))
            axis.set_ylim(max(smallest, 1e-300) / 3, 3)
            title += f": $|f_{{{n}}}|$ and $|g_{{{n}}}|$"
        else:
            shade(axis, g, f)
            axis.plot(f.index, f, color=BLUE)
            axis.plot(g.index, g, color=RED, linestyle="--")
            axis.plot([0, 1], [-1, 1], linestyle="none", marker="o", color="black", markersize=4, zorder=3)
            axis.set_ylim(-1.12, 1.12)
            wrong = part[(part["basis"] == "chebyshev") & (part["quantity"] == "wrong_share")]["value"].iloc[0]
            title += f": signs agree on {100 * (1 - wrong):.1f} %"
        axis.set_title(f"{literal(run, 36)}\n{title}" if several else title)
        axis.set_xlim(*SIDES)
        axis.set_xlabel("$x$")
    figure.legend(
        handles=[
            Line2D([], [], color=BLUE, label="Bernstein, $f_n$"),
            Line2D([], [], color=RED, linestyle="--", label="Chebyshev, $g_n$"),
            Patch(label="signs differ", **WRONG),
            Line2D([], [], linestyle="none", marker="o", color="black", markersize=4, label="training set $S$"),
        ],
        loc="outside lower center", ncols=4, frameon=False,
    )  # fmt: skip
    return figure


def trained_curves(table: pd.DataFrame, grids: Iterable[str], sizes: Iterable[int]) -> Figure:
    """A row of classifiers for each of some grids, a panel for each of some m; below, wrong signs and |f| over all m.

    Args:
        table: rows of `training_grids` with a `run` column; the rows of each run follow those of the one before.
        grids: those drawn as rows, from the top, where they are measured; the first two measured ones if none is.
        sizes: the m that are drawn, where they are measured; the first four measured ones if none is.
    """
    from matplotlib.figure import Figure

    measured = list(dict.fromkeys(table["m"]))
    shown = [m for m in sizes if m in measured] or measured[:4]
    there = list(dict.fromkeys(table["grid"]))
    rows = [
        (run, grid)
        for run in dict.fromkeys(table["run"])
        for grid in [g for g in grids if g in there] or there[:2]
        if ((table["run"] == run) & (table["grid"] == grid)).any()
    ]
    runs = list(dict.fromkeys(table["run"]))
    heights = [0.4 + 1.45 * len(rows), 2.2]
    figure = Figure(figsize=(PAGE, sum(heights)), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    upper, lower = parts
    axes = upper.subplots(len(rows), len(shown), squeeze=False, sharex=True, sharey=True)
    for line, (run, grid) in zip(axes, rows, strict=True):
        for axis, m in zip(line, shown, strict=True):
            part = table[(table["run"] == run) & (table["grid"] == grid) & (table["m"] == m)]
            if part.empty:
                axis.set_axis_off()
                continue
            trained_panel(axis, part, m)
        line[0].set_ylabel(GRID_NAMES.get(grid, grid).replace(", ", "\n") + "\n$f(x)$")
        if len(runs) > 1:
            first = table[table["run"] == run].iloc[0]
            what = f"{literal(str(run), 24)}: {first['basis']}, $n = {first['degree']}$"
            title = line[0].get_title()
            line[0].set_title("")
            line[0].set_title(f"{what}\n{title}", loc="left")
    for axis in axes[-1]:
        axis.set_xlabel("$x$")
    first = table.iloc[0]
    if len(runs) == 1:
        upper.suptitle(f"{str(first['basis']).capitalize()} features of degree {first['degree']}", fontsize=8)
    size_panels(lower, table, runs)
    return figure


def trained_panel(axis: Any, part: pd.DataFrame, m: int) -> None:
    """One trained classifier, its training points and where its sign is wrong."""
    f = curve(part)
    labels = part[part["quantity"] == "label"]
    wrong = float(part[part["quantity"] == "wrong_share"]["value"].iloc[0])
    shade(axis, f, f.index.to_series() - 0.5)
    axis.axvline(0.5, color="#777777", linewidth=0.6, linestyle=":")
    axis.plot(f.index, f, color=RED)
    axis.scatter(labels["x"], labels["value"], s=4 if m < 50 else 1.5, color="black", zorder=3, linewidths=0)
    percent = f"{100 * wrong:.2g}" if wrong > 1e-9 else "0"
    axis.set_title(f"$m = {m}$: {percent} % wrong")
    axis.set_xlim(*SIDES)
    axis.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axis.set_ylim(-2.2, 2.2)


def size_panels(figure: Any, table: pd.DataFrame, runs: list[str]) -> None:
    """Share of wrong signs and largest |f| against m, a colour for each grid and a line style for each run."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FixedLocator, LogFormatter, NullLocator

    axes = figure.subplots(1, 2)
    grids = list(dict.fromkeys(table["grid"]))
    looks: list[dict[str, Any]] = [
        {"color": LINES[n], "marker": "os^vD"[n], "markersize": 6.5 - n, "markerfacecolor": "none", "linewidth": 1}
        for n in range(len(grids))
    ]
    styles = dict(zip(runs, ["-", "--", ":", "-."] * len(runs), strict=False))
    for axis, quantity in zip(axes, ("wrong_share", "sup"), strict=True):
        rows = table[table["quantity"] == quantity].sort_values("m")
        for (grid, run), values in rows.groupby(["grid", "run"], sort=False):
            axis.plot(values["m"], values["value"], linestyle=styles[run], **looks[grids.index(grid)])
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(FixedLocator(apart(sorted(set(rows["m"])))))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.xaxis.set_major_formatter(lambda m, _: f"{m:g}")
        axis.set_xlabel("$m$")
    axes[0].set_ylabel("share of wrong signs")
    axes[0].set_yscale("symlog", linthresh=1e-3, linscale=0.5)
    axes[0].set_ylim(-2e-4, 1)
    axes[1].set_ylabel("largest $|f|$ on [0, 1]")
    axes[1].set_yscale("log")
    axes[1].yaxis.set_major_formatter(LogFormatter())
    axes[1].yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))
    names = [GRID_NAMES.get(grid, grid) for grid in grids]
    handles = [Line2D([], [], label=name, **look) for name, look in zip(names, looks, strict=True)]
    if len(runs) > 1:
        handles += [Line2D([], [], color="black", linestyle=styles[run], label=literal(str(run), 30)) for run in runs]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)), frameon=False)


def apart(sizes: list[int]) -> list[int]:
    """Some of the sizes, so far from each other that their labels do not meet on a logarithmic axis."""
    chosen = sizes[-1:]
    for m in reversed(sizes):
        if chosen[0] / m > (sizes[-1] / sizes[0]) ** 0.09 * 1.02:
            chosen = [m, *chosen]
    return chosen


def loss_curves(table: pd.DataFrame) -> Figure:
    """The expected loss on [0, 1], the nodes of a Chebyshev grid and both ends on it, and its local maxima.

    Args:
        table: rows of `hard_points` with a `run` column; a panel for each run and family of hypotheses.
    """
    from matplotlib.lines import Line2D

    panels = list(dict.fromkeys(zip(table["run"], table["hypotheses"], table["degree"], strict=True)))
    several = table["run"].nunique() > 1
    figure, axes = panel_grid(len(panels), several, columns=2, height=2.3)
    for axis, (run, family, n) in zip(axes, panels, strict=False):
        part = table[(table["run"] == run) & (table["hypotheses"] == family)]
        at = dict(list(part.groupby("quantity")))
        if "sampled" in at:
            low, high = (at["sampled"]["value"] + sign * 3 * at["sampled"]["standard_error"] for sign in (-1, 1))
            axis.fill_between(at["sampled"]["x"], low, high, color="#999999", alpha=0.5, linewidth=0)
        axis.plot(at["curve"]["x"], at["curve"]["value"], color=BLUE, linewidth=1)
        axis.scatter(at["node"]["x"], at["node"]["value"], s=16, color=RED, zorder=3)
        axis.scatter(at["end"]["x"], at["end"]["value"], s=18, facecolors="white", edgecolors=RED, zorder=3)
        axis.scatter(
            at["maximum"]["x"], at["maximum"]["value"], s=22, marker="|", color="black", zorder=4, linewidths=0.9
        )
        who = f"$T^*_0 \\ldots T^*_{{{n}}}$"
        who = f"{who} (eq 12)" if family == "basis" else f"Gaussian sums of {who} (eq 11)"
        axis.set_title(f"{literal(str(run), 36)}\n$H$: {who}" if several else f"$H$: {who}")
        axis.set_xlim(*SIDES)
        axis.set_ylim(bottom=-0.01)
        axis.set_xlabel("$x$")
        axis.set_ylabel("expected loss")
    handles = [
        Line2D([], [], color=BLUE, linewidth=1, label="closed form"),
        Line2D([], [], color=RED, marker="o", linestyle="none", markersize=4, label="Chebyshev nodes"),
        Line2D([], [], color=RED, marker="o", linestyle="none", markersize=4, markerfacecolor="white", label="ends"),
        Line2D([], [], color="black", marker="|", linestyle="none", markersize=6, label="local maxima"),
    ]
    if (table["quantity"] == "sampled").any():
        handles.append(Line2D([], [], color="#999999", alpha=0.5, linewidth=5, label="Monte Carlo, ± 3 errors"))
    figure.legend(handles=handles, loc="outside lower center", ncols=5 if len(panels) > 1 else 2, frameon=False)
    return figure


def panel_grid(count: int, several: bool, *, columns: int = COLUMNS, height: float = 1.6) -> tuple[Any, list[Any]]:
    """A figure with so many axes; those left over in the last row are taken away."""
    from matplotlib.figure import Figure

    columns = min(columns, count)
    rows = -(-count // columns)
    width = PAGE if columns > 1 else PAGE / 2
    figure = Figure(figsize=(width, 0.4 + (height + 0.15 * several) * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def curve(part: pd.DataFrame) -> pd.Series:
    """The value against x of one curve."""
    rows = part[part["quantity"] == "curve"]
    return rows.set_index("x")["value"]


def shade(axis: Any, f: pd.Series, right: pd.Series) -> None:
    """Shade the x where the signs of two functions, sampled at the same points, differ."""
    differ = f.to_numpy() * right.to_numpy() < 0
    axis.fill_between(f.index, -BEYOND, BEYOND, where=differ, step="mid", **WRONG)
