"""Correction against the strength of preprocessing and against the weight, and ratios of norms: `preprocessing_strength`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from advlab.plotting.style import LINES, literal, narrow, width

CLEAN, ADAPTIVE = "clean", "adaptive"
SWEEPS = {
    "shift": "shift, pixels", "blur": "blur, sigma in pixels", "noise": "noise, grey levels",
    "crops": "number of crops", "half-pixel crops": "number of half-pixel crops",
}  # fmt: skip
IN_A_COLUMN = {"blur": "blur, sigma", "half-pixel crops": "half-pixel crops"}  # shorter words, for half of 3.35 inches
STYLES = ("-", "--", ":", "-.")
COLOURS = (*LINES[:6], "#999999", "#8B4513", "#556B2F")
WIDEST = 100.0  # ratio of norms; what was not found lies there


def correction_curves(summary: pd.DataFrame) -> Figure:
    """A panel for each sweep, one for the ratios of norms, and one an attack for images beyond the smallest weight.

    Args:
        summary: of `preprocessing_strength`, in exact arithmetic. Several runs: line styles, and markers of the ratios.
    """
    exact = summary[summary["arithmetic"].fillna("") != "float32"] if len(summary) else summary
    runs = list(dict.fromkeys(exact["run"])) if len(exact) else []
    kinds = (
        [str(name) for name in dict.fromkeys(exact["images"]) if name not in (CLEAN, ADAPTIVE)] if len(exact) else []
    )
    defenses = [str(name) for name in dict.fromkeys(exact["defense"][exact["sweep"] == ADAPTIVE])] if len(exact) else []
    defenses = [name for name in defenses if name != "none"]
    sweeps = [name for name in SWEEPS if len(exact) and (exact["sweep"] == name).any()]
    figure, curves, ratios = panels(len(sweeps) + len(kinds), len(sweeps), len(defenses), len(runs))
    colour_of = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(kinds)} | {CLEAN: "#000000"}
    for axis, sweep in zip(curves, sweeps, strict=False):
        sweep_panel(axis, exact[exact["sweep"] == sweep], sweep, [CLEAN, *kinds], runs, colour_of)
    ratio_panel(ratios, exact[exact["sweep"] == ADAPTIVE], defenses, runs)
    of_defense = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(defenses)}
    for axis, kind in zip(curves[len(sweeps) :], kinds, strict=True):
        beyond_panel(axis, exact[(exact["sweep"] == "beyond") & (exact["images"] == kind)], kind, runs, of_defense)
    legends(figure, colour_of, of_defense, runs)
    return figure


def panels(curves: int, before: int, defenses: int, runs: int) -> tuple[Figure, list[Axes], Axes]:
    """The figure, its panels of curves, which share their axis of per cent, and the panel of ratios.

    On a page there are three beside each other, and the ratios follow the first `before`; in a column two, and the ratios
    have the whole width below them.
    """
    columns, extra = (2, 0) if narrow() else (3, 1)
    rows = -(-(curves + extra) // columns)
    last = 0.55 + 0.16 * max(1, defenses)  # inches of the ratios in a column
    heights = [1.22] * rows + [last] if narrow() else [1.7] * rows
    below = (1.05 + 0.16 * -(-defenses // 2)) if narrow() else 0.9
    figure = Figure(figsize=(width(), sum(heights) + below + 0.16 * runs), layout="constrained")
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    places = [(k // columns, k % columns) for k in range(curves + extra)]
    at = grid[rows, :] if narrow() else grid[places.pop(before)]
    axes: list[Axes] = []
    for row, column in places:
        axes.append(figure.add_subplot(grid[row, column], sharey=axes[0] if axes else None))
        if narrow() and column:
            axes[-1].tick_params(labelleft=False)
        else:
            axes[-1].set_ylabel("right, %")
    return figure, axes, figure.add_subplot(at)


def sweep_panel(
    axis: Axes, rows: pd.DataFrame, sweep: str, kinds: list[str], runs: list[str], colours: dict[str, str]
) -> None:
    """Share that is right against the strength: a colour for each kind of images, a line style for each run."""
    for run, style in zip(runs, cycle_of(STYLES, len(runs)), strict=True):
        for kind in kinds:
            line = rows[(rows["run"] == run) & (rows["images"] == kind)].sort_values("strength")
            axis.plot(line["strength"], 100 * line["right"], style, marker=".", markersize=4, color=colours[kind])
            if len(runs) == 1:
                axis.fill_between(
                    line["strength"], 100 * line["low"], 100 * line["high"], color=colours[kind], alpha=0.2, lw=0
                )
    ticks = sorted(rows["strength"].unique())
    if sweep not in ("shift", "blur"):
        axis.set_xscale("log", base=2)
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_ylim(-3, 103)
    axis.set_xlabel(IN_A_COLUMN.get(sweep, SWEEPS[sweep]) if narrow() else SWEEPS[sweep])


def ratio_panel(axis: Axes, rows: pd.DataFrame, defenses: list[str], runs: list[str]) -> None:
    """Median ratio of minimal norms, behind each defense to without, with its interval; a marker for each run."""
    for k, (run, marker) in enumerate(zip(runs, cycle_of(("o", "s", "^", "D"), len(runs)), strict=True)):
        line = rows[(rows["run"] == run) & (rows["defense"] != "none")]
        y = [defenses.index(name) + 0.6 * ((k + 0.5) / len(runs) - 0.5) for name in line["defense"]]
        low, middle, high = (
            line[column].astype(float).clip(1 / WIDEST, WIDEST).to_numpy()
            if column in line
            else np.full(len(line), np.nan)
            for column in ("ratio_low", "ratio", "ratio_high")
        )
        axis.hlines(y, low, high, color="#000000", linewidth=0.8)
        axis.plot(middle, y, marker, color="#000000", markersize=3.5, markerfacecolor="#000000" if k == 0 else "white")
    axis.axvline(1, color="#999999", linewidth=0.8)
    axis.set_xscale("log")
    shown = rows["ratio_high"].astype(float).replace(np.inf, np.nan).max() if "ratio_high" in rows else np.nan
    last = 5 if not shown > 4 else 20 if shown < 18 else WIDEST
    ticks = [tick for tick in (0.5, 1, 2, 5, 20, 100) if tick <= last]
    axis.set_xlim(0.5, last)
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.set_yticks(range(len(defenses)), [literal(name, 14) for name in defenses])
    axis.set_ylim(len(defenses) - 0.4, -0.6)
    axis.set_xlabel("minimal norm, adaptive / plain")


def beyond_panel(axis: Axes, rows: pd.DataFrame, kind: str, runs: list[str], colours: dict[str, str]) -> None:
    """Share that each defense makes right against the weight over the smallest; a line style for each run."""
    for run, style in zip(runs, cycle_of(STYLES, len(runs)), strict=True):
        for defense, colour in colours.items():
            line = rows[(rows["run"] == run) & (rows["defense"] == defense)].sort_values("factor")
            axis.plot(line["factor"], 100 * line["right"], style, marker=".", markersize=4, color=colour)
    axis.set_ylim(-3, 103)
    axis.set_xlabel(f"{literal(kind, 12)}: $w$ / smallest" + ("" if narrow() else " $w$"))


def cycle_of(values: tuple[str, ...], count: int) -> list[str]:
    """`count` values, from the beginning again after the last."""
    return [values[k % len(values)] for k in range(count)]


def legends(figure: Figure, kinds: dict[str, str], defenses: dict[str, str], runs: list[str]) -> None:
    """Colours of the images above, those of the defenses and the runs' line styles below."""
    axis = figure.axes[0]
    of_kinds = [axis.plot([], [], color=colour, label=literal(name, 12))[0] for name, colour in kinds.items()]
    title = literal(str(runs[0]), 44) if len(runs) == 1 else None
    figure.legend(
        handles=of_kinds,
        loc="outside upper center",
        ncols=4 if narrow() else 6,
        frameon=False,
        title=title,
        title_fontsize=8,
    )
    below = [axis.plot([], [], color=colour, label=literal(name, 14))[0] for name, colour in defenses.items()]
    if len(runs) > 1:
        styles = cycle_of(STYLES, len(runs))
        below += [
            axis.plot([], [], style, color="#666666", label=literal(str(run), 30 if narrow() else 24))[0]
            for run, style in zip(runs, styles, strict=True)
        ]
    ncols = 4 if not narrow() else 1 if len(runs) > 1 else 2
    figure.legend(handles=below, loc="outside lower center", ncols=ncols, frameon=False)
