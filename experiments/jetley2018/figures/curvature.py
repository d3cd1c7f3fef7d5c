"""Spectra of boundary curvature, flipping norms against it, and the most curved directions as images (jetley2018, section 3)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from advlab.plotting.gallery import blocks, caption, look
from advlab.plotting.pixels import decode, show
from advlab.plotting.style import LINES, literal_lines, narrow, small, width

POSITIVE, NEGATIVE = LINES[0], LINES[1]
CLASSES = 10  # whose directions are drawn as images


def spectra_and_directions(table: pd.DataFrame) -> Figure:
    """Of each run the two panels, and below them a column of images a class: the most positive direction, then the most negative.

    Args:
        table: rows of `Curvature`, with a `run` column.
    """
    runs = [(str(run), rows) for run, rows in table.groupby("run", sort=False)]
    heights: list[float] = []
    for _, rows in runs:
        tiles = blocks(list(dict.fromkeys(rows["target"]))[:CLASSES])
        side = min(0.75, (width() - 0.5) / max(map(len, tiles)))
        heights.append((4.4 if narrow() else 2.3) + len(tiles) * (2 * side + 0.45))
    figure = Figure(figsize=(width(), sum(heights)), layout="constrained")
    parts = figure.subfigures(len(runs), 1, height_ratios=heights, squeeze=False)[:, 0]
    for part, (run, rows) in zip(parts, runs, strict=True):
        _block(part, run, rows)
    return figure


def _block(part: Any, run: str, rows: pd.DataFrame) -> None:
    """One run."""
    part.suptitle(literal_lines(run, 38 if narrow() else 90), fontsize=small(8))
    targets = list(dict.fromkeys(rows["target"]))[:CLASSES]
    tiles = blocks(targets)
    side = min(0.75, (width() - 0.5) / max(map(len, tiles)))
    above, below = part.subfigures(2, 1, height_ratios=[4.2 if narrow() else 2.1, len(tiles) * (2 * side + 0.45)])
    left, right = above.subplots(2, 1) if narrow() else above.subplots(1, 2)
    principal = rows[rows["direction"] == "principal"]
    _spectra(left, principal)
    _flips(right, principal, rows[rows["direction"] == "random"])
    _images(below, principal, tiles)


def _spectra(axis: Any, principal: pd.DataFrame) -> None:
    """Curvature against rank, a line a class; of Lanczos both ends, with the unknown ones between them left out."""
    largest = float(principal["curvature"].abs().max())
    for _, basis in principal.groupby("target", sort=False):
        ordered = basis.sort_values("rank")
        size, found = int(ordered["size"].iloc[0]), len(ordered)
        rank = ordered["rank"].to_numpy(dtype=float)
        values = ordered["curvature"].to_numpy()
        if found < size:
            rank[rank > found // 2] += size - found
            rank, values = np.insert(rank, found // 2, np.nan), np.insert(values, found // 2, np.nan)
        axis.plot(rank, values, color=POSITIVE, alpha=0.6, linewidth=0.7)
    if largest > 0:
        axis.set_yscale("symlog", linthresh=largest / 100, linscale=0.5)
        bound = 10.0 ** np.floor(np.log10(largest))
        axis.set_yticks([-bound, -bound / 10, 0, bound / 10, bound])
        axis.minorticks_off()
    axis.axhline(0, color="#888888", linewidth=0.6)
    axis.set_xlabel("rank, a line a class")
    axis.set_ylabel(r"curvature $\lambda$")


def _flips(axis: Any, principal: pd.DataFrame, random: pd.DataFrame) -> None:
    """Median flipping norm against |curvature| of the directions that were followed; random ones as a line.

    Directions along which half of the images are not flipped within the longest length stand hollow on the line of that length.
    """
    followed = principal[(principal["images"] > 0) & (principal["curvature"] != 0)]
    limit = float(principal["limit"].max())
    for sign, colour, marker, name in ((1, POSITIVE, "o", "positive"), (-1, NEGATIVE, "v", "negative")):
        part = followed[followed["curvature"] * sign > 0]
        flipped = part["flip_norm"] <= limit
        found, beyond = part[flipped], part[~flipped & part["flip_norm"].notna()]
        look = {"color": colour, "marker": marker, "alpha": 0.7}
        axis.scatter(found["curvature"].abs(), found["flip_norm"], 9, linewidths=0, label=name, **look)
        look |= {"facecolors": "none", "linewidths": 0.6}
        axis.scatter(beyond["curvature"].abs(), [limit] * len(beyond), 9, **look)
    axis.axhline(limit, color="#888888", linestyle=":", linewidth=0.9, label=f"above {limit:.3g}")
    known = random["flip_norm"].dropna()
    if len(known) and known.median() < limit:
        axis.axhline(float(known.median()), color="#555555", linestyle="--", linewidth=0.9, label="random")
    elif len(known):
        axis.plot([], [], " ", label=f"random: above {limit:.3g}")
    if len(followed):
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5), numticks=12))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_locator(NullLocator())
    axis.set_xlabel(r"$|\lambda|$, of a direction")
    axis.set_ylabel("median flipping norm")
    if len(followed) or len(known):
        axis.legend(loc="best", handletextpad=0.2, borderpad=0.3)


def _images(part: Any, principal: pd.DataFrame, tiles: list[list[Any]]) -> None:
    """The most positive direction of each class above its most negative one, at most so many classes beside each other."""
    columns = max(map(len, tiles))
    axes = part.subplots(2 * len(tiles), columns, squeeze=False)
    inches = (width() - 0.5) / columns
    for b, block in enumerate(tiles):
        for c in range(columns):
            if c >= len(block):
                axes[2 * b, c].set_axis_off()
                axes[2 * b + 1, c].set_axis_off()
                continue
            basis = principal[principal["target"] == block[c]].sort_values("rank")
            for end, place in ((0, 2 * b), (-1, 2 * b + 1)):
                axis = axes[place, c]
                show(axis, decode(basis.iloc[end]))
                if not end:
                    axis.set_title(caption(str(basis["target_name"].iloc[0]), inches, 2), pad=2, **look())
                if not c:
                    axis.set_ylabel("negative" if end else "positive", **look())
