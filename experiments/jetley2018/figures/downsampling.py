"""Fooling rates of longer perturbations behind a resampling, and minimal norms side by side: the figure of `downsampling`."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advlab.plotting.style import LINES, literal, narrow, width
from advlab.statistics import median_interval, share_interval

from .downsampling_rows import fooled, minimal_norms, perturbed

#: whose minimal norms stand side by side: name, in the legend, colour and marker
ATTACKS = (
    ("transfer", "original network", LINES[0], "o"),
    ("confined_original", "the same, confined", LINES[2], "^"),
    ("white_box", "resampling network", LINES[1], "s"),
)
LOGARITHMIC = 8  # norms further apart than by this factor have a logarithmic axis
MARKERS = "osD^vP*X"


def rates_and_norms(table: pd.DataFrame) -> Figure:
    """For each run a panel of fooling rates over f, a line a size, and one of median norms, a group a size.

    Args:
        table: rows of `downsampling` with a `run` column.
    """
    runs = list(table.groupby("run", sort=False))
    rows, columns = (2 * len(runs), 1) if narrow() else (len(runs), 2)
    height = 2.1 if narrow() else 2.3
    figure = Figure(figsize=(width(), rows * height + (1.2 if narrow() else 0.5)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    several = len(runs) > 1
    handles: dict[str, Any] = {}
    for n, (run, part) in enumerate(runs):
        rates, norms = axes[2 * n : 2 * n + 2]
        handles |= draw_rates(rates, part)
        handles |= draw_norms(norms, part)
        if several:
            rates.set_title(literal(str(run), 40))
            norms.set_title(literal(str(run), 40))
    figure.legend(
        handles=list(handles.values()), labels=list(handles), loc="outside lower center", ncols=2 if narrow() else 4,
        frameon=False,
    )  # fmt: skip
    return figure


def draw_rates(axis: Any, rows: pd.DataFrame) -> dict[str, Any]:
    """The fooling rate over f with its 95 % interval, a solid line a size; dashed that of random perturbations. Gives handles."""
    handles: dict[str, Any] = {}
    for n, (size, part) in enumerate(rows.groupby("size", sort=False)):
        colour, marker = colour_of(n), MARKERS[n % len(MARKERS)]
        label = f"{size} px" + (", as it is" if n == 0 else "")
        factors, intervals = rates_over_factors(part, "transfer")
        axis.fill_between(
            factors, [i.low for i in intervals], [i.high for i in intervals], color=colour, alpha=0.15, lw=0
        )
        estimates = [i.estimate for i in intervals]
        (handles[label],) = axis.plot(factors, estimates, color=colour, marker=marker, markersize=3.5)
        factors, intervals = rates_over_factors(part, "random")
        axis.plot(factors, [i.estimate for i in intervals], color=colour, linestyle="--", linewidth=0.8)
    handles["random, as long"] = Line2D([], [], color="#777777", linestyle="--", linewidth=0.8)
    axis.set_ylim(-0.03, 1.03)
    axis.set_xlabel("factor $f$ of the perturbation")
    axis.set_ylabel("fooling rate")
    return handles


def rates_over_factors(rows: pd.DataFrame, attack: str) -> tuple[list[float], list[Any]]:
    """The factors of one attack, and the fooling rate at each with its interval."""
    groups = rows[rows["attack"] == attack].groupby("factor")
    return [float(factor) for factor, _ in groups], [share_interval(fooled(some)) for _, some in groups]


def draw_norms(axis: Any, rows: pd.DataFrame) -> dict[str, Any]:
    """Median norms of DeepFool with their 95 % intervals, a group a size, in % of the median image's. Gives
    handles."""
    sizes, handles = list(dict.fromkeys(rows["size"])), {}
    full = rows[rows["size"] == sizes[0]]
    whole = full["image_norm"].median()
    drawn: list[float] = []
    for n, (attack, name, colour, marker) in enumerate(ATTACKS):
        places, estimates, bars = [], [], []
        for place, size in enumerate(sizes):
            some = perturbed(full if attack == "transfer" else rows[rows["size"] == size], attack)
            if not len(some):
                continue
            interval = median_interval(100 * minimal_norms(some) / whole)
            if math.isfinite(interval.estimate):
                places.append(place + 0.18 * (n - 1))
                estimates.append(interval.estimate)
                ends = (interval.estimate - interval.low, interval.high - interval.estimate)
                bars.append([end if math.isfinite(end) else 0.0 for end in ends])
        drawn += estimates
        if places:
            handles[name] = axis.errorbar(
                places, estimates, list(zip(*bars, strict=True)), color=colour, marker=marker, markersize=4, capsize=2,
                linestyle="none", linewidth=1,
            )  # fmt: skip
    axis.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    axis.set_xlim(-0.5, len(sizes) - 0.5)
    if drawn and max(drawn) > LOGARITHMIC * min(drawn) > 0:
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    else:
        axis.set_ylim(bottom=0)
    axis.set_xlabel("resampled to, pixels a side")
    axis.set_ylabel("median norm, %\nof the image's")
    return handles


def colour_of(n: int) -> str:
    """Of the n-th size; the images' own is black."""
    return "#000000" if n == 0 else LINES[(n - 1) % (len(LINES) - 1)]
