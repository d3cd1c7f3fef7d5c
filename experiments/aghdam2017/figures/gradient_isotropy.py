"""What measures at an image say of the range of its score around it: the figure of `gradient_isotropy`."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter, NullLocator

from advlab.plotting.style import LINES, literal, narrow, small, width

from .panels import READINGS, radius_unit

FLOOR = 1e-12  # ranges of zero are drawn here, as in figure 1
SCATTERED = {  # measures that are drawn against the range
    "dispersion": "mean $|g_i - g_j|$",
    "gradient_norm": r"$\|g\|$",
    "isotropic": r"$\|H - cI\|\, /\, \|H\|$",
    "predicted": "range by eq 3",
}
CORRELATED = {  # measures whose correlations are drawn, from above
    "dispersion": "mean $|g_i - g_j|$",
    "gradient_norm": r"$\|g\|$",
    "hessian_norm": r"$\|H\|$",
    "predicted": "range by eq 3",
    "relative_dispersion": "mean $|g_i - g_j|$\n/ mean $|g_i|$",
    "isotropic": r"$\|H - cI\|\, /\, \|H\|$",
    "symmetric": "$\\|H - aI - b\\mathbf{1}\\mathbf{1}'\\|$\n$/\\, \\|H\\|$",
}
RADII = (LINES[5], LINES[0], "#00304f")  # light to dark: epsilon, 1, 10
MARKERS = "o^s"
KEYS = ["run", "norm", "pixel_scale"]


def ranges_against_measures(table: pd.DataFrame, correlations: pd.DataFrame, *, radii: list[float]) -> Figure:
    """For each run and reading the range against four measures, and the rank correlations of all seven.

    A row of panels each; in a figure of one column the four stand in a square, and the correlations below.

    Args:
        table: rows of gradient_isotropy with a `run` column.
        correlations: Spearman's rho with `low` and `high`, by `run`, `norm`, `pixel_scale`, `radius` and `measure`.
        radii: those that are drawn, three at most.
    """
    groups = list(table.groupby(KEYS, sort=False))
    quantity = str(table["of"].iloc[0])  # score or logit
    height = 6.0 if narrow() else 2.15
    figure = Figure(figsize=(width(), 0.35 + height * len(groups)), layout="constrained")
    parts: Any = figure.subfigures(len(groups), 1, squeeze=False)
    for (part,), (key, rows) in zip(parts, groups, strict=True):
        own = correlations.set_index(KEYS).loc[[key]]
        run, norm, scale = key
        break_ = "\n" if narrow() else ": "
        reading = f"$r$ in {READINGS[norm]}, {radius_unit(scale)}, $n$ = {rows['sample'].nunique()}"
        part.suptitle(f"{literal(str(run), 44 if narrow() else 80)}{break_}{reading}", fontsize=8)
        scattered, correlated = _axes(part)
        for n, (axis, (measure, label)) in enumerate(zip(scattered, SCATTERED.items(), strict=True)):
            _scatter(axis, rows, measure, radii)
            axis.set_xlabel(label)
            axis.sharey(scattered[0])
            first = n % (2 if narrow() else 4) == 0
            axis.tick_params(labelleft=first)
            if first:
                axis.set_ylabel(f"range of {quantity}")
        _correlations(correlated, own, radii)
    handles = [
        Line2D([], [], marker=MARKERS[i], linestyle="none", color=RADII[i], markersize=4, label=f"$r$ = {r:g}")
        for i, r in enumerate(radii)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(radii), frameon=False)
    return figure


def _axes(part: Any) -> tuple[list[Any], Any]:
    """The four panels of ranges, and the one of correlations."""
    if narrow():
        areas = part.add_gridspec(3, 2, height_ratios=[1, 1, 1.45])
        return [part.add_subplot(areas[n // 2, n % 2]) for n in range(4)], part.add_subplot(areas[2, :])
    areas = part.add_gridspec(1, 5, width_ratios=[1, 1, 1, 1, 1.5])
    return [part.add_subplot(areas[0, n]) for n in range(4)], part.add_subplot(areas[0, 4])


def _scatter(axis: Any, part: pd.DataFrame, measure: str, radii: list[float]) -> None:
    """Range against one measure."""
    for i, radius in enumerate(radii):
        rows = part[part["radius"] == radius]
        axis.scatter(
            rows[measure], rows["range"].clip(lower=FLOOR), s=7, marker=MARKERS[i], color=RADII[i], alpha=0.7,
            linewidths=0, rasterized=True,
        )  # fmt: skip
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(numticks=5))
    axis.yaxis.set_minor_locator(NullLocator())
    if not part[[measure, "range"]].notna().all(axis=1).any():  # nothing is drawn
        axis.set(xlim=(0, 1), ylim=(FLOOR, 1))
        axis.xaxis.set_major_locator(FixedLocator([0, 1]))
        return
    if measure == "isotropic":  # a share of ||H||, mostly near 1
        axis.xaxis.set_major_locator(MaxNLocator(2))
        return
    if not (part[measure] > 0).any():  # zero everywhere: a logarithmic axis would have nothing to show
        return
    axis.set_xscale("log")
    low, high = axis.get_xlim()
    if high / low < 30:  # there may be no power of ten within
        axis.xaxis.set_major_locator(MaxNLocator(2))
        axis.xaxis.set_major_formatter("{x:g}")
    else:
        axis.xaxis.set_major_locator(LogLocator(numticks=3))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.xaxis.set_minor_locator(NullLocator())
    if measure == "predicted":
        ends = [max(axis.get_xlim()[0], axis.get_ylim()[0]), min(axis.get_xlim()[1], axis.get_ylim()[1])]
        axis.plot(ends, ends, color="#777777", linewidth=0.7, zorder=0)


def _correlations(axis: Any, correlations: pd.DataFrame, radii: list[float]) -> None:
    """Rank correlation of each measure with the range, a line of points each, with its interval at every radius."""
    for n, measure in enumerate(CORRELATED):
        rows = correlations[correlations["measure"] == measure].set_index("radius")
        for i, radius in enumerate(radii):
            rho, y = rows.loc[radius], n + 0.24 * (i - (len(radii) - 1) / 2)
            axis.plot([rho["low"], rho["high"]], [y, y], color=RADII[i], linewidth=1)
            axis.plot(rho["estimate"], y, marker=MARKERS[i], markersize=3.5, color=RADII[i], clip_on=False, zorder=3)
    axis.axvline(0, color="#777777", linewidth=0.6)
    axis.set_xlim(-1.03, 1.03)
    axis.xaxis.set_major_locator(FixedLocator([-1, -0.5, 0, 0.5, 1]))
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:g}".replace("-", "−"))
    axis.set_ylim(len(CORRELATED) - 0.5, -0.5)
    axis.set_yticks(range(len(CORRELATED)), list(CORRELATED.values()), fontsize=small(6.5))
    if not narrow():
        axis.yaxis.tick_right()
    axis.set_xlabel(r"rank correlation $\rho$")
