"""The expected loss of polynomials against themselves, and Chebyshev nodes on it: figure 3 of barati2021."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advlab.plotting.style import literal, narrow

from .interval_panels import BLUE, RED, X_LIMITS, panel_grid


def loss_curves(table: pd.DataFrame) -> Figure:
    """The expected loss on [0, 1], the nodes of a Chebyshev grid and both ends on it, and its local maxima.

    Args:
        table: rows of `hard_points` with a `run` column; a panel for each run and family of hypotheses.
    """
    panels = list(dict.fromkeys(zip(table["run"], table["hypotheses"], table["degree"], strict=True)))
    several = table["run"].nunique() > 1
    figure, axes = panel_grid(len(panels), several, columns=2, height=2.0 if narrow() else 2.3)
    for axis, (run, family, n) in zip(axes, panels, strict=False):
        rows = table[(table["run"] == run) & (table["hypotheses"] == family)]
        loss = {str(quantity): points for quantity, points in rows.groupby("quantity")}
        if "sampled" in loss:
            low, high = (loss["sampled"]["value"] + sign * 3 * loss["sampled"]["standard_error"] for sign in (-1, 1))
            axis.fill_between(loss["sampled"]["x"], low, high, color="#999999", alpha=0.5, linewidth=0)
        axis.plot(loss["curve"]["x"], loss["curve"]["value"], color=BLUE, linewidth=1)
        axis.scatter(loss["node"]["x"], loss["node"]["value"], s=16, color=RED, zorder=3)
        axis.scatter(loss["end"]["x"], loss["end"]["value"], s=18, facecolors="white", edgecolors=RED, zorder=3)
        maxima = loss["maximum"]
        axis.scatter(maxima["x"], maxima["value"], s=22, marker="|", color="black", zorder=4, linewidths=0.9)
        basis = f"$T^*_0 \\ldots T^*_{{{n}}}$"
        hypotheses = f"{basis} (eq 12)" if family == "basis" else f"Gaussian sums of {basis} (eq 11)"
        axis.set_title(f"{literal(str(run), 36)}\n$H$: {hypotheses}" if several else f"$H$: {hypotheses}")
        axis.set_xlim(*X_LIMITS)
        axis.set_ylim(-0.01, 1.07 * max(maxima["value"].max(), loss["curve"]["value"].max()))
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
    figure.legend(
        handles=handles, loc="outside lower center", ncols=5 if len(panels) > 1 and not narrow() else 2, frameon=False
    )
    return figure
