"""How much longer features move than the image does: figure 6 of aghdam2017 as ratios, and the local constant's bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from advlab.plotting.style import LINES, narrow, small

from .panels import grid, is_slim

RATIO = r"$\Vert\Delta\Phi_L\Vert\, /\, \Vert v\Vert$"
FAR = 30  # times all else in a panel: a global bound further away is written and not drawn
LARGEST, FIT, FIT_2, ASCENDED, BOUND = LINES[1], LINES[6], LINES[4], LINES[3], LINES[2]


def ratios(table: pd.DataFrame, fits: Callable[[pd.DataFrame], tuple[Any, Any]]) -> Figure:
    """The ratio of eq 9 against the radius, both logarithmic: raw on the left axis, normalised on the right.

    A dot is one (sample, radius), ||Phi(x + v) - Phi(x)|| / ||v|| in the mean over T; a grey line beside it reaches from the
    smallest to the largest of T. The horizontal lines are L = 1 of either ratio, the Jacobian's largest singular value at
    the samples (which the ratio cannot exceed as r goes to 0), the largest that ascent reached, and the global bound. The
    paper's fits of features' lengths on images' are drawn divided by the latter.

    Args:
        table: lipschitz rows of one layer a run, with a `run` column; `image_length` is the normalised ||v||. Panels as in
            `grid`.
        fits: gives the coefficients of the line and of the parabola through the rows of one panel, highest power first.
    """
    figure, panels = grid(table, height=2.9 if narrow() else 2.1, around=1.1 if narrow() else 0.9)
    known: set[str] = set()
    lowest, highest = np.inf, 0.0
    for axis, part, column in panels:
        drawn = part[part["moved"] > 0]  # also without NaN
        _points(axis, drawn)
        low, high = _references(axis, part, known)
        lowest, highest = min(lowest, low), max(highest, high)
        _fits(axis, drawn, fits(part))
        counted = part["trials"].sum() - part["nonfinite"].sum()
        shares = [part[name].sum() / counted if counted else np.nan for name in ("contracted", "contracted_normalised")]
        if part["normaliser"].isna().any():
            shares[1] = np.nan
        raw, normalised = (f"{100 * share:.3g} %" if share == share else "–" for share in shares)
        break_ = "\n" if narrow() or len({c for _, _, c in panels}) > 2 else ", "
        axis.set_title(f"{axis.get_title()}\n$L < 1$: raw {raw}{break_}normalised {normalised}", fontsize=small(7))
        if column == 0:
            axis.set_ylabel(f"{RATIO}, raw", fontsize=8)
    for axis, part, column in panels:
        axis.set_xscale("log")
        axis.set_xlim(part["radius"].min() / 1.35, part["radius"].max() * 1.35)
        axis.set_yscale("log")
        if lowest < np.inf:
            axis.set_ylim(lowest / 1.6, highest * 2.5)
        axis.yaxis.set_major_locator(LogLocator(numticks=7))
        axis.xaxis.set_minor_locator(NullLocator())
        last = column == max(c for _, _, c in panels)
        several = table["run"].nunique() > 1
        if (not narrow() and several) or last:
            _normalised_axis(axis, part, label=last)
        _far_bound(axis, part, highest)
    figure.legend(handles=_legend(known), loc="outside lower center", ncols=2 if is_slim(figure) else 5, frameon=False)
    return figure


def _points(axis: Any, drawn: pd.DataFrame) -> None:
    """A dot for each (sample, radius), and from the least to the largest of T."""
    many = drawn["sample"].nunique() > 50
    samples = {sample: n for n, sample in enumerate(sorted(set(drawn["sample"])))}
    turn = np.array([(0.618034 * samples[sample]) % 1 - 0.5 for sample in drawn["sample"]])
    places = drawn["radius"] * np.exp(0.04 * turn)  # beside each other
    axis.vlines(
        places, drawn["least_ratio"], drawn["largest_ratio"], color="#999999", linewidth=0.3, alpha=0.2 if many else 0.6,
        zorder=1, rasterized=True,
    )  # fmt: skip
    axis.scatter(
        places, drawn["moved"] / drawn["length"], s=0.6 if many else 2.5, color=LINES[0], alpha=0.3 if many else 0.7,
        linewidths=0, zorder=2, rasterized=True,
    )  # fmt: skip


def _references(axis: Any, part: pd.DataFrame, known: set[str]) -> tuple[float, float]:
    """Horizontal lines; what is known is added to `known`. Gives the least and the largest value of the panel."""
    factor = float(part["normaliser"].median())
    steepest = part.groupby("sample")["jacobian_norm"].first().dropna()
    values = [part["largest_ratio"].max(), 1.0, part.loc[part["least_ratio"] > 0, "least_ratio"].min()]
    axis.axhline(1, color="#555555", linestyle=":", linewidth=1.0)
    if factor > 0:
        axis.axhline(1 / factor, color="#555555", linestyle="--", linewidth=1.0)
        values.append(1 / factor)
    if len(steepest) and steepest.max() > 0:
        axis.axhspan(steepest.min(), steepest.max(), color=LARGEST, alpha=0.15, linewidth=0, zorder=0)
        axis.axhline(steepest.median(), color=LARGEST, linewidth=1.2)
        values += [steepest.max()]
    ascended = part["ascended_norm"].max()
    if ascended > 0:
        axis.axhline(ascended, color=ASCENDED, linewidth=1.2, linestyle="-.")
        values.append(ascended)
        known.add("ascended")
    finite = [value for value in values if value > 0 and np.isfinite(value)]
    bound = part["global_bound"].max()
    if bound > 0:
        known.add("bound")
        if bound < FAR * max(finite):
            axis.axhline(bound, color=BOUND, linewidth=1.2, linestyle=(0, (6, 2)))
            finite.append(bound)
    return min(finite), max(finite)


def _far_bound(axis: Any, part: pd.DataFrame, highest: float) -> None:
    """A global bound that would squeeze all else is written at the top of the panel."""
    bound = part["global_bound"].max()
    if bound > highest:
        number = f"{bound:.0e}".replace("e+0", "e").replace("e+", "e")
        axis.text(
            0.98,
            0.98,
            f"bound {number} ↑",
            transform=axis.transAxes,
            ha="right",
            va="top",
            color=BOUND,
            fontsize=small(7),
        )


def _fits(axis: Any, drawn: pd.DataFrame, coefficients: tuple[Any, Any]) -> None:
    """Both fits, of normalised lengths, as raw ratios at each radius."""
    if not len(drawn):
        return
    lengths = drawn.groupby("radius")["image_length"].median()
    radii = np.geomspace(lengths.index.min(), lengths.index.max(), 100)
    images = np.exp(np.interp(np.log(radii), np.log(lengths.index), np.log(lengths)))
    for fit, color, look in zip(coefficients, (FIT, FIT_2), ("-", "--"), strict=True):
        curve = np.polyval(fit, images) / images / drawn["normaliser"].median()
        axis.plot(radii, np.where(curve > 0, curve, np.nan), color=color, linestyle=look, linewidth=0.9, zorder=3)


def _normalised_axis(axis: Any, part: pd.DataFrame, *, label: bool) -> None:
    """The right axis, in normalised ratios."""
    factor = float(part["normaliser"].median())
    if not factor > 0:
        return
    right = axis.secondary_yaxis("right", functions=(lambda y: y * factor, lambda y: y / factor))
    right.yaxis.set_major_locator(LogLocator(numticks=7))
    right.yaxis.set_minor_locator(NullLocator())
    if label:
        right.set_ylabel("normalised", fontsize=8)


def _legend(known: set[str]) -> list[Any]:
    grey = "#555555"
    handles: list[Any] = [
        Line2D([], [], marker="o", linestyle="none", color=LINES[0], markersize=3, label="sample, mean over $T$"),
        Line2D([], [], marker="|", linestyle="none", color="#999999", markersize=8, label="least to largest of $T$"),
        Line2D([], [], color=FIT, linewidth=0.9, label="first-order fit"),
        Line2D([], [], color=FIT_2, linewidth=0.9, linestyle="--", label="second-order fit"),
        Line2D([], [], color=grey, linestyle=":", label="$L = 1$, raw"),
        Line2D([], [], color=grey, linestyle="--", label="$L = 1$, normalised"),
        Line2D([], [], color=LARGEST, label=r"$\sigma_{\max}$ at $x$ (band: all $x$)"),
    ]  # fmt: skip
    if "ascended" in known:
        handles.append(Line2D([], [], color=ASCENDED, linestyle="-.", label=r"$\sigma_{\max}$ by ascent"))
    if "bound" in known:
        handles.append(Line2D([], [], color=BOUND, linestyle=(0, (6, 2)), label="global bound"))
    return handles
