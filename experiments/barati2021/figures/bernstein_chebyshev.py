"""The classifiers of two points in the bases of Bernstein and of Chebyshev: figure 1 of barati2021."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from advlab.plotting.style import literal

from .interval_panels import BLUE, RED, WRONG_SIGN, X_LIMITS, curve, panel_grid, shade_wrong_signs


def two_point_curves(table: pd.DataFrame) -> Figure:
    """f_n and g_n for each n, shaded where their signs differ, and |f_n| and |g_n| of the largest n on a log axis.

    Args:
        table: rows of `bernstein_chebyshev` with a `run` column; the panels of each run follow those of the one before.
    """
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
            shade_wrong_signs(axis, g, f)
            axis.plot(f.index, f, color=BLUE)
            axis.plot(g.index, g, color=RED, linestyle="--")
            axis.plot([0, 1], [-1, 1], linestyle="none", marker="o", color="black", markersize=4, zorder=3)
            axis.set_ylim(-1.12, 1.12)
            wrong = part[(part["basis"] == "chebyshev") & (part["quantity"] == "wrong_share")]["value"].iloc[0]
            title += f": signs agree on {100 * (1 - wrong):.1f} %"
        axis.set_title(f"{literal(run, 36)}\n{title}" if several else title)
        axis.set_xlim(*X_LIMITS)
        axis.set_xlabel("$x$")
    figure.legend(
        handles=[
            Line2D([], [], color=BLUE, label="Bernstein, $f_n$"),
            Line2D([], [], color=RED, linestyle="--", label="Chebyshev, $g_n$"),
            Patch(label="signs differ", **WRONG_SIGN),
            Line2D([], [], linestyle="none", marker="o", color="black", markersize=4, label="training set $S$"),
        ],
        loc="outside lower center", ncols=4, frameon=False,
    )  # fmt: skip
    return figure
