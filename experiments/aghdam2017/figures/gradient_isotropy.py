"""What measures at an image say of the range of its score around it: the figure of `gradient_isotropy`."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from advlab.plotting.style import LINES, PAGE, literal

from .panels import radius_label

FLOOR = 1e-12  # ranges of zero are drawn here, as in figure 1
SCATTERED = {  # measures that are drawn against the range
    "dispersion": "mean $|g_i - g_j|$",
    "gradient_norm": r"$\|g\|$",
    "isotropic": r"$\|H - cI\|\, /\, \|H\|$",
    "predicted": "range by eq 3",
}
CURVES = {  # measures whose correlations are drawn, the widest below: label, colour, dashes, width
    "predicted": ("range by eq 3", "#bbbbbb", "-", 4.0),
    "gradient_norm": (r"$\|g\|$", LINES[0], "-", 2.2),
    "dispersion": ("mean $|g_i - g_j|$", LINES[1], "-", 1.1),
    "relative_dispersion": (r"mean $|g_i - g_j|\, /\,$ mean $|g_i|$", LINES[1], ":", 1.1),
    "hessian_norm": (r"$\|H\|$", LINES[6], "--", 1.0),
    "isotropic": (r"$\|H - cI\|\, /\, \|H\|$", LINES[2], "-", 2.2),
    "symmetric": (r"$\|H - aI - b\mathbf{1}\mathbf{1}'\|\, /\, \|H\|$", LINES[3], "--", 1.1),
}
RADII = (LINES[5], LINES[0], "#00304f")  # light to dark: epsilon, 1, 10
MARKERS = "o^s"


def ranges_against_measures(table: pd.DataFrame, correlations: pd.DataFrame, *, radii: list[float]) -> Figure:
    """A row for each run and reading: the range against four measures, and the rank correlations against the radius.

    Args:
        table: rows of gradient_isotropy with a `run` column.
        correlations: Spearman's rho with `low` and `high`, by `run`, `norm`, `pixel_scale`, `radius` and `measure`.
        radii: those whose samples are drawn, three at most.
    """
    keys = ["run", "norm", "pixel_scale"]
    groups = list(table.groupby(keys, sort=False))
    quantity = str(table["of"].iloc[0])  # score or logit
    figure = Figure(figsize=(PAGE, 0.7 + 1.75 * len(groups)), layout="constrained")
    panels = figure.subplots(len(groups), len(SCATTERED) + 1, squeeze=False, width_ratios=[1] * len(SCATTERED) + [1.35])
    for axes, (key, part) in zip(panels, groups, strict=True):
        own = correlations.set_index(keys).loc[[key]]
        for axis, (measure, label) in zip(axes, SCATTERED.items(), strict=False):
            _scatter(axis, part, own, measure, radii)
            axis.set_xlabel(label)
            axis.sharey(axes[0])
            axis.tick_params(labelleft=axis is axes[0])
        name = "" if table["run"].nunique() == 1 else literal(str(key[0]), 30) + "\n"
        axes[0].set_ylabel(f"{name}range of {quantity}")
        _curves(axes[-1], own)
        axes[-1].set_xlabel(radius_label(*key[1:]).replace("radius ", ""))
    if table["run"].nunique() == 1:
        figure.suptitle(literal(str(table["run"].iloc[0]), 80), fontsize=8)
    _legends(figure, radii)
    return figure


def _scatter(axis: Any, part: pd.DataFrame, correlations: pd.DataFrame, measure: str, radii: list[float]) -> None:
    """Range against one measure, and the rank correlation of each radius in its colour."""
    rho = correlations[correlations["measure"] == measure].set_index("radius")["estimate"]
    for i, radius in enumerate(radii):
        rows = part[part["radius"] == radius]
        axis.scatter(
            rows[measure], rows["range"].clip(lower=FLOOR), s=7, marker=MARKERS[i], color=RADII[i], alpha=0.75,
            linewidths=0, rasterized=True,
        )  # fmt: skip
        place = {"transform": axis.transAxes, "color": RADII[i], "fontsize": 7, "va": "bottom", "ha": "right"}
        axis.text(
            1 - 0.3 * (len(radii) - 1 - i), 1.02, f"{rho[radius]:.2f}".replace("0.", ".").replace("-", "−"), **place
        )
    axis.text(0.0, 1.02, r"$\rho$", transform=axis.transAxes, fontsize=7, va="bottom")
    axis.set_yscale("log")
    if measure == "isotropic":  # a share of ||H||, mostly near 1
        axis.xaxis.set_major_locator(MaxNLocator(2))
        return
    if not (part[measure] > 0).any():  # zero everywhere: a logarithmic axis would have nothing to show
        return
    axis.set_xscale("log")
    low, high = axis.get_xlim()
    if high / low < 30:  # there may be no power of ten within
        axis.xaxis.set_major_locator(MaxNLocator(3))
        axis.xaxis.set_major_formatter("{x:g}")
    else:
        axis.xaxis.set_major_locator(LogLocator(numticks=3))
    axis.xaxis.set_minor_formatter(NullFormatter())
    if measure == "predicted":
        ends = [max(axis.get_xlim()[0], axis.get_ylim()[0]), min(axis.get_xlim()[1], axis.get_ylim()[1])]
        axis.plot(ends, ends, color="#777777", linewidth=0.7, zorder=0)


def _curves(axis: Any, correlations: pd.DataFrame) -> None:
    """Rank correlation of each measure with the range, at every radius; a band for the paper's measure."""
    for measure, (_, color, dashes, width) in CURVES.items():
        rows = correlations[correlations["measure"] == measure].sort_values("radius")
        look: dict[str, Any] = {"color": color, "linestyle": dashes, "linewidth": width}
        axis.plot(rows["radius"], rows["estimate"], marker="." if len(rows) < 4 else "", **look)
        if measure == "dispersion":
            axis.fill_between(rows["radius"], rows["low"], rows["high"], color=color, alpha=0.15, linewidth=0)
    axis.axhline(0, color="#777777", linewidth=0.6)
    axis.set_ylim(-1.05, 1.05)
    axis.set_title(r"rank correlation $\rho$", fontsize=7)
    axis.yaxis.tick_right()


def _legends(figure: Any, radii: list[float]) -> None:
    """Markers of the radii, and lines of the measures, below the figure."""
    handles = [
        Line2D([], [], marker=MARKERS[i], linestyle="none", color=RADII[i], markersize=4, label=f"$r$ = {r:g}")
        for i, r in enumerate(radii)
    ]
    handles += [
        Line2D([], [], color=color, linestyle=dashes, linewidth=width, label=label)
        for label, color, dashes, width in CURVES.values()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, columnspacing=1.2)
