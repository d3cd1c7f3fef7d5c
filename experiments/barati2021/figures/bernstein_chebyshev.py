"""The classifiers of two points in the bases of Bernstein and of Chebyshev: figure 1 of barati2021."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from advlab.plotting.style import LINES, literal, literal_lines, narrow
from advlab.polynomials.grids import NODES

from .interval_panels import BLUE, RED, WRONG_SIGN, X_LIMITS, curve, panel_grid, shade_wrong_signs

#: a grid beside the critical points -> its name on the axis, and its colour
NODE_LOOKS = {
    "roots": ("roots of $T^*_{{{n}}}$", LINES[1]),
    "next_roots": ("roots of $T^*_{{{next}}}$", LINES[2]),
    "lobatto": ("inner Lobatto", LINES[3]),
    "equispaced": ("equispaced", LINES[0]),
}


def two_point_curves(table: pd.DataFrame) -> Figure:
    """f_n and g_n for each n, shaded where their signs differ, and |f_n| and |g_n| of the largest n on a log axis.

    Below, where g_n - f_n is critical for the largest n of each run, and the grids that may reflect it.

    Args:
        table: rows of `bernstein_chebyshev` with a `run` column; the panels of each run follow those of the one before.
    """
    panels: list[tuple[str, int, bool]] = []  # run, n, whether on a logarithmic axis
    for run, rows in table.groupby("run", sort=False):
        degrees = list(dict.fromkeys(rows["degree"]))
        panels += [(str(run), n, False) for n in degrees] + [(str(run), max(degrees), True)]
    several = table["run"].nunique() > 1
    critical = [rows for _, rows in table[table["quantity"] == "critical"].groupby("run", sort=False)]
    figure, axes = panel_grid(len(panels), several, strips=len(critical))
    for axis, rows in zip(axes[len(panels) :], critical, strict=True):
        draw_critical_points(axis, rows[rows["degree"] == rows["degree"].max()], several)
    for axis, (run, n, logarithmic) in zip(axes, panels, strict=False):
        rows = table[(table["run"] == run) & (table["degree"] == n)]
        title = draw_sizes(axis, rows, n) if logarithmic else draw_signs(axis, rows, n)
        axis.set_title(f"{literal(run, 17 if narrow() else 28)}\n{title}" if several else title)
        axis.set_xlim(*X_LIMITS)
        axis.set_xlabel("$x$")
    figure.legend(
        handles=[
            Line2D([], [], color=BLUE, label="Bernstein, $f_n$"),
            Line2D([], [], color=RED, linestyle="--", label="Chebyshev, $g_n$"),
            Patch(label="signs differ", **WRONG_SIGN),
            Line2D([], [], linestyle="none", marker="o", color="black", markersize=4, label="training set $S$"),
        ],
        loc="outside lower center", ncols=2 if narrow() else 4, frameon=False,
    )  # fmt: skip
    return figure


def draw_signs(axis: Any, rows: pd.DataFrame, n: int) -> str:
    """f_n and g_n, shaded where their signs differ, and the training set; gives the title."""
    f, g = both_curves(rows)
    shade_wrong_signs(axis, g, f)
    axis.plot(f.index, f, color=BLUE)
    axis.plot(g.index, g, color=RED, linestyle="--")
    axis.plot([0, 1], [-1, 1], linestyle="none", marker="o", color="black", markersize=4, zorder=3)
    axis.set_ylim(-1.12, 1.12)
    differ = rows[(rows["basis"] == "chebyshev") & (rows["quantity"] == "wrong_share")]["value"].iloc[0]
    agree = "agree" if narrow() else "signs agree on"
    return f"$n = {n}$: {agree} {100 * (1 - differ):.1f} %"


def draw_sizes(axis: Any, rows: pd.DataFrame, n: int) -> str:
    """|f_n| and |g_n| on a logarithmic axis; gives the title."""
    f, g = both_curves(rows)
    g = g[g.abs() > 1e-6]  # some roots are points of the curve and most are not: none is drawn
    axis.semilogy(f.index, f.abs(), color=BLUE)
    axis.semilogy(g.index, g.abs(), color=RED, linestyle="--")
    smallest = min(values.abs().quantile(0.02) for values in (f, g))
    axis.set_ylim(max(smallest, 1e-300) / 3, 3)
    return f"$n = {n}$: $|f_{{{n}}}|$ and $|g_{{{n}}}|$"


def draw_critical_points(axis: Any, rows: pd.DataFrame, several: bool) -> None:
    """The critical points of g_n - f_n as lines through four rows of ticks, those of the grids."""
    n = int(rows["degree"].iloc[0])
    axis.vlines(rows["x"], -0.6, len(NODES) - 0.4, color="#999999", linewidth=0.7)
    for height, (name, nodes) in enumerate(reversed(NODES.items())):
        points = nodes.points(n)
        axis.plot(points, [height] * len(points), linestyle="none", marker="|", markersize=8, color=NODE_LOOKS[name][1])
    axis.set_yticks(range(len(NODES)), [NODE_LOOKS[name][0].format(n=n, next=n + 1) for name in reversed(NODES)])
    axis.grid(visible=False)
    axis.set_ylim(-0.6, len(NODES) - 0.4)
    axis.set_xlim(-0.01, 1.01)
    axis.set_xlabel("$x$")
    title = f"critical points of $g_{{{n}}} - f_{{{n}}}$ (lines) and grids"
    run = literal_lines(str(rows["run"].iloc[0]), 36)
    axis.set_title(f"{run}\n{title}" if several else title)


def both_curves(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """f_n and g_n, indexed by x."""
    f, g = (curve(rows[rows["basis"] == basis]) for basis in ("bernstein", "chebyshev"))
    return f, g
