"""A network's score on a plane through an image, with the images of three of its points: figure 2 of aghdam2017."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.ticker import NullFormatter

from advlab.plotting.gallery import caption, look, percent
from advlab.plotting.pixels import decode, show
from advlab.plotting.style import LINES, SCORES, literal, narrow, small, width

from .panels import READINGS, radius_unit

MARKS = {"clean": ("o", "$x$"), "kept": ("^", "$x + v_1$"), "lost": ("s", "$x + v_2$")}
TINY = 1e-300  # added to error probabilities before the logarithm: that of a score of 1 is 0
IMAGE = 1.0  # inches: width of the column of the three images
DARK = 0.9  # of the range of grey levels: images that span less are stretched
RMS = "r.m.s., grey levels"
OUTLINE: list[patheffects.AbstractPathEffect] = [patheffects.withStroke(linewidth=2.4, foreground="black")]


def score_maps(marks: pd.DataFrame, grid: pd.DataFrame, spheres: pd.DataFrame) -> Figure:
    """For each run the map with its marks, the three images, and the share of scores above the clean one by length.

    Lengths are everywhere the root mean square over the pixels, in grey levels, so that both readings of the radius share an
    axis. Images that span less than nine tenths of the grey levels are stretched, all three by one factor, which is written.

    Args:
        marks: rows of the marked images, with a `run` column as the others.
        grid: rows of the map's points.
        spheres: rows of the permutations of each (sample, reading, radius), with the `share` of scores above the clean one.
    """
    runs = list(dict.fromkeys(marks["run"]))
    figure = Figure(figsize=(width(), (6.3 if narrow() else 3.4) * len(runs)), layout="constrained")
    parts: Any = figure.subfigures(len(runs), 1, squeeze=False)
    for run, (part,) in zip(runs, parts, strict=True):
        marks_of_run = marks[marks["run"] == run].set_index("name")
        break_ = "\n" if narrow() else ": "
        part.suptitle(
            f"{literal(str(run), 44 if narrow() else 60)}{break_}{_lengths(marks_of_run.loc['lost'])}", fontsize=8
        )
        if narrow():
            areas = part.add_gridspec(3, 3, height_ratios=[2.6, 1.25, 1.5])
            places = areas[0, :], [areas[1, n] for n in range(3)], areas[2, :]
        else:
            areas = part.add_gridspec(3, 3, width_ratios=[3.0, IMAGE, 2.2])
            places = areas[:, 0], [areas[n, 1] for n in range(3)], areas[:, 2]
        handles = _map(part, part.add_subplot(places[0]), grid[grid["run"] == run], marks_of_run)
        if narrow():
            part.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
        else:
            part.legend(handles=handles, loc="outside lower left", ncols=len(handles), frameon=False, columnspacing=1.2)
        _images(part, places[1], marks_of_run)
        _shares(part.add_subplot(places[2]), spheres[spheres["run"] == run])
    return figure


def _lengths(lost: pd.Series) -> str:
    """Length of the perturbations in words."""
    reading = f"{READINGS[lost['norm']]}, {radius_unit(lost['pixel_scale'])}"
    return f"$r$ = {lost['radius']:g} ({reading}), r.m.s. {lost['rms']:.2g} grey levels"


def _images(part: Any, places: list[Any], marks: pd.DataFrame) -> None:
    """The three images, stretched alike where the clean one is dark or pale."""
    clean = decode(marks.loc["clean"])
    low, high = (float(q) for q in np.percentile(clean, [0.5, 99.5]))
    stretch = 255 / (high - low) if 0 < high - low < DARK * 255 else 1.0
    for n, (name, (_, symbol)) in enumerate(MARKS.items()):
        axis, mark = part.add_subplot(places[n]), marks.loc[name]
        image = decode(mark)
        if stretch > 1:
            image = np.clip((image - low) * stretch, 0, 255).astype(np.uint8)
        show(axis, image)
        said = f", contrast × {stretch:.2g}" if stretch > 1 and n == 0 and not narrow() else ""
        axis.set_title(symbol + said, fontsize=small(7), pad=2)
        prediction = caption(str(mark["prediction_name"]), IMAGE, 1)
        text = f"{prediction}\n{'s =' if narrow() else 'true class'} {percent(mark['score'])}"
        axis.set_xlabel(text, labelpad=2, **look(6))
        if narrow() and stretch > 1 and n == 0:
            axis.set_ylabel(f"contrast × {stretch:.2g}", fontsize=8)


def _map(figure: Any, axis: Any, grid: pd.DataFrame, marks: pd.DataFrame) -> list[Any]:
    """Score of the true class; where another class wins, and where the score is above the clean one.

    Returns:
        Handles of what a legend must explain.
    """
    lost = marks.loc["lost"]
    levels = 255 / float(lost["channels"] * lost["height"] * lost["width"]) ** 0.5  # r.m.s. in grey levels of length 1
    score, error, margin = (
        grid.pivot_table(index="b", columns="a", values=column, dropna=False)
        for column in ("score", "error_probability", "margin")
    )
    # above 0 where the score is above the clean one; of the error probabilities, because scores sit too close to 1
    rise = np.log(float(marks.loc["clean", "error_probability"]) + TINY) - np.log(error + TINY)
    half = levels * float(grid["a"].max()) * (1 + 1 / (len(score) - 1))  # to the outer edges of the cells
    look = {"origin": "lower", "extent": (-half, half, -half, half)}
    image = axis.imshow(score, cmap=SCORES, vmin=0, vmax=1, interpolation="nearest", **look)
    for values, color, style in ((margin, LINES[6], "solid"), (rise, "white", "dotted")):
        if values.min().min() < 0 < values.max().max():
            places = levels * values.columns.to_numpy(), levels * values.index.to_numpy()
            drawn = axis.contour(*places, values, levels=[0], colors=color, linestyles=style, linewidths=1.2)
            if color == "white":
                drawn.set(path_effects=OUTLINE)
    radius = levels * float(marks.loc["kept", "a"])
    axis.add_patch(Circle((0, 0), radius, fill=False, edgecolor=LINES[1], linewidth=1.3, linestyle="--", zorder=2.5))
    handles = []
    for name, (marker, symbol) in MARKS.items():
        handles += axis.plot(
            levels * marks.loc[name, "a"], levels * marks.loc[name, "b"], marker=marker, markersize=6, color="white",
            linestyle="none", markeredgecolor="black", markeredgewidth=0.9, label=symbol,
        )  # fmt: skip
    above = Line2D([], [], color="white", linewidth=1.2, linestyle="dotted", label="score above clean")
    above.set_path_effects(OUTLINE)
    handles += [
        Line2D([], [], color=LINES[6], linewidth=1.2, label="another class wins"),
        above,
        Line2D([], [], color=LINES[1], linewidth=1.3, linestyle="--", label=r"length of $v_1$ and $v_2$"),
    ]
    axis.grid(visible=False)
    axis.set_xlabel(f"along $u_1$ ({RMS})")
    axis.set_ylabel("along $u_2$")
    figure.colorbar(image, ax=axis, fraction=0.05, pad=0.02, aspect=25).set_label("score $s$ of the true class")
    return handles


def _shares(axis: Any, spheres: pd.DataFrame) -> None:
    """Share of the permutations that score above the clean image: median and middle half of the samples, by length."""
    for n, ((norm, scale), rows) in enumerate(spheres.groupby(["norm", "pixel_scale"], sort=False)):
        spread = rows.groupby("radius")["share"].quantile([0.25, 0.5, 0.75]).unstack()
        lengths = rows.groupby("radius")["rms"].median().reindex(spread.index)
        axis.fill_between(lengths, spread[0.25], spread[0.75], color=LINES[n], alpha=0.2, linewidth=0)
        axis.plot(
            lengths, spread[0.5], color=LINES[n], marker="os^vD"[n % 5], markersize=2.5,
            label=f"{READINGS[norm]}, 0..{scale:g}",
        )  # fmt: skip
    axis.axhline(0.5, color="#777777", linewidth=0.8, linestyle=":")
    axis.set_xscale("log")
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_ylim(-0.03, 1.03)
    axis.set_xlabel(f"perturbation ({RMS})")
    axis.set_ylabel("share above\nclean score" if narrow() else "share above the clean score")
    trials = spheres["trials"].max()
    axis.set_title(f"$n$ = {spheres['sample'].nunique()}, $T$ = {trials:g} permutations")
    axis.legend(loc="upper right", title="radius in", title_fontsize=small(7))
