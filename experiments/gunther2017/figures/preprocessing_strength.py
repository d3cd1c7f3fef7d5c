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
    panels = len(sweeps) + 1 + len(kinds)
    columns = 1 if narrow() else 3
    rows = -(-panels // columns)
    height = rows * (1.75 if narrow() else 1.7) + 0.9 + 0.14 * len(runs) + 0.25 * narrow()
    figure = Figure(figsize=(width(), height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    colour_of = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(kinds)} | {CLEAN: "#000000"}
    for axis, sweep in zip(axes, sweeps, strict=False):
        sweep_panel(axis, exact[exact["sweep"] == sweep], sweep, [CLEAN, *kinds], runs, colour_of)
    ratio_panel(axes[len(sweeps)], exact[exact["sweep"] == ADAPTIVE], defenses, runs)
    of_defense = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(defenses)}
    for axis, kind in zip(axes[len(sweeps) + 1 :], kinds, strict=False):
        beyond_panel(axis, exact[(exact["sweep"] == "beyond") & (exact["images"] == kind)], kind, runs, of_defense)
    for axis in axes[panels:]:
        axis.set_axis_off()
    legends(figure, colour_of, of_defense, runs)
    return figure


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
    axis.set_xlabel(SWEEPS[sweep])
    axis.set_ylabel("right, %")


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
    axis.set_xlabel(f"{literal(kind, 12)}: $w$ / smallest $w$")
    axis.set_ylabel("right, %")


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
