"""A network's score on a plane through an image, with the images of three of its points: figure 2 of aghdam2017."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from advlab.plotting.gallery import TEXT, caption, percent
from advlab.plotting.pixels import decode, show
from advlab.plotting.style import LINES, PAGE, SCORES, literal

MARKS = {"clean": ("o", "$x$"), "kept": ("^", "$x + v_1$"), "lost": ("s", "$x + v_2$")}
READINGS = {"l2": "$L_2$", "linf": r"$L_\infty$"}
TINY = 1e-300  # added to error probabilities before the logarithm: that of a score of 1 is 0
IMAGE = 1.15  # inches: width of the column of the three images


def score_maps(marks: pd.DataFrame, grid: pd.DataFrame, spheres: pd.DataFrame) -> Figure:
    """For each run the map with its marks, the three images, and the share of scores above the clean one by radius.

    Args:
        marks: rows of the marked images, with a `run` column as the others.
        grid: rows of the map's points.
        spheres: rows of the permutations of each (sample, reading, radius), with the `share` of scores above the clean one.
    """
    runs = list(dict.fromkeys(marks["run"]))
    figure = Figure(figsize=(PAGE, 3.4 * len(runs)), layout="constrained")
    parts: Any = figure.subfigures(len(runs), 1, squeeze=False)
    for run, (part,) in zip(runs, parts, strict=True):
        marks_of_run = marks[marks["run"] == run].set_index("name")
        part.suptitle(f"{literal(str(run), 60)}: {_lengths(marks_of_run.loc['lost'])}", fontsize=8)
        areas = part.add_gridspec(3, 3, width_ratios=[3.0, IMAGE, 2.1])
        handles = _map(part, part.add_subplot(areas[:, 0]), grid[grid["run"] == run], marks_of_run)
        part.legend(handles=handles, loc="outside lower left", ncols=len(handles), frameon=False, columnspacing=1.2)
        for n, (name, (_, symbol)) in enumerate(MARKS.items()):
            axis, mark = part.add_subplot(areas[n, 1]), marks_of_run.loc[name]
            show(axis, decode(mark))
            axis.set_title(symbol, fontsize=7, pad=2)
            prediction = caption(str(mark["prediction_name"]), IMAGE, 1)
            axis.set_xlabel(f"{prediction}\ntrue class {percent(mark['score'])}", labelpad=2, **{**TEXT, "fontsize": 6})
        _shares(part.add_subplot(areas[:, 2]), spheres[spheres["run"] == run])
    return figure


def _lengths(lost: pd.Series) -> str:
    """Length of the perturbations in words."""
    unit = "grey levels" if lost["pixel_scale"] == 255 else f"pixels in [0, {lost['pixel_scale']:g}]"
    return f"$r$ = {lost['radius']:g} ({READINGS[lost['norm']]}, {unit}), r.m.s. {lost['rms']:.2g} of 255 grey levels"


def _map(figure: Any, axis: Any, grid: pd.DataFrame, marks: pd.DataFrame) -> list[Any]:
    """Score of the true class; where another class wins, and where the score is above the clean one.

    Returns:
        Handles of what a legend must explain.
    """
    score, error, margin = (
        grid.pivot_table(index="b", columns="a", values=column, dropna=False)
        for column in ("score", "error_probability", "margin")
    )
    # above 0 where the score is above the clean one; of the error probabilities, because scores sit too close to 1
    rise = np.log(float(marks.loc["clean", "error_probability"]) + TINY) - np.log(error + TINY)
    half = float(grid["a"].max()) * (1 + 1 / (len(score) - 1))  # to the outer edges of the cells
    look = {"origin": "lower", "extent": (-half, half, -half, half)}
    image = axis.imshow(score, cmap=SCORES, vmin=0, vmax=1, interpolation="nearest", **look)
    for values, color, style in ((margin, LINES[6], "solid"), (rise, "white", "dotted")):
        if values.min().min() < 0 < values.max().max():
            axis.contour(
                values.columns, values.index, values, levels=[0], colors=color, linestyles=style, linewidths=1.0
            )
    radius = float(marks.loc["kept", "a"])
    handles = []
    for name, (marker, symbol) in MARKS.items():
        handles += axis.plot(
            marks.loc[name, "a"], marks.loc[name, "b"], marker=marker, markersize=6, color="white", linestyle="none",
            markeredgecolor="black", markeredgewidth=0.9, label=symbol,
        )  # fmt: skip

    axis.add_patch(Circle((0, 0), radius, fill=False, edgecolor="white", linewidth=0.7, linestyle="--"))
    handles += [
        Line2D([], [], color=LINES[6], linewidth=1.0, label="another class wins"),
        Line2D([], [], color="#888888", linewidth=1.0, linestyle="dotted", label="score above the clean one"),
    ]
    axis.grid(visible=False)
    axis.set_xlabel("along $u_1$ ($L_2$, pixels in [0, 1])")
    axis.set_ylabel("along $u_2$")
    figure.colorbar(image, ax=axis, fraction=0.05, pad=0.02, aspect=25).set_label("score of the true class")
    return handles


def _shares(axis: Any, spheres: pd.DataFrame) -> None:
    """Share of the permutations that score above the clean image: median and middle half of the samples, by radius."""
    readings = spheres.groupby(["norm", "pixel_scale"], sort=False)
    for n, ((norm, scale), rows) in enumerate(readings):
        spread = rows.groupby("radius")["share"].quantile([0.25, 0.5, 0.75]).unstack()
        axis.fill_between(spread.index, spread[0.25], spread[0.75], color=LINES[n], alpha=0.2, linewidth=0)
        axis.plot(
            spread.index, spread[0.5], color=LINES[n], marker="os^vD"[n % 5], markersize=2.5,
            label=f"{READINGS[norm]}, 0..{scale:g}",
        )  # fmt: skip
    axis.set_ylim(-0.03, 1.03)
    axis.set_xlabel("radius $r$")
    axis.set_ylabel("share of scores above the clean one")
    axis.set_title(f"{spheres['sample'].nunique()} samples")
    axis.legend(loc="upper right")
