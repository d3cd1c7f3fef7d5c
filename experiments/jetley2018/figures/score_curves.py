"""Figure 1 of jetley2018: curves of a class score, one an image, with their direction and images along one of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advlab.plotting.gallery import caption
from advlab.plotting.pixels import decode, show
from advlab.plotting.style import LINES, literal_lines, narrow, small, width

KINDS = ("positive", "negative", "hi", "lo")  # the paper's, or singular vectors; class_scores draws flat ones as well
INSIDE, OUTSIDE, FOLLOWED = LINES[0], "#999999", LINES[1]
TILE_COLUMNS = 3  # images beside each other


def score_curves(table: pd.DataFrame) -> Figure:
    """Along the most positive and the most negative direction of each drawn class, a curve for each image.

    The direction and images along the red curve stand beside them. A curve is blue where the network says the class. The
    red curve's dots are where the images lie, whose predicted classes stand above them.

    Args:
        table: rows of `ScoreCurves`, with a `run` column.
    """
    drawn = table[table["drawn"].astype(bool) & (table["index"] == 1)]
    panels = [
        (str(run), rows[rows["direction"] == kind], first)
        for (run, _), rows in drawn.groupby(["run", "target"], sort=False)
        for first, kind in _kinds(rows)
    ]
    tile_rows = max((-(-_tiles(rows) // TILE_COLUMNS) for _, rows, _ in panels), default=1)
    headings = sum(first for _, _, first in panels)
    height = (1.9 + 0.85 * tile_rows) if narrow() else max(1.9, 1.0 * tile_rows)
    figure = Figure(
        figsize=(width(), height * len(panels) + 0.35 * headings + (0.55 if panels else 1.4)), layout="constrained"
    )
    heights = [height + 0.35 * first for _, _, first in panels]
    outer = figure.add_gridspec(max(1, len(panels)), 1, height_ratios=heights or None)
    for place, (run, rows, first) in zip((outer[k, 0] for k in range(len(panels))), panels, strict=True):
        if narrow():
            curves, tiles = _halves(place.subgridspec(2, 1, height_ratios=[1.7, 0.85 * tile_rows]))
        else:
            curves, tiles = _halves(place.subgridspec(1, 2, width_ratios=[1.35, 1]))
        axis = figure.add_subplot(curves)
        _curves(axis, rows)
        signs = 34 if narrow() else 50
        heading = literal_lines(run, signs) + "\n" if first else ""
        axis.set_title(f"{heading}{_title(rows, signs)}", fontsize=small(8))
        _images(figure, tiles.subgridspec(tile_rows, TILE_COLUMNS), rows)
    if not panels:
        figure.text(0.5, 0.8, "no class that is drawn has boundary points", ha="center", fontsize=small(8))
    figure.legend(handles=_legend(), loc="outside lower center", ncols=1 if narrow() else 3, frameon=False)
    return figure


def _kinds(rows: pd.DataFrame) -> list[tuple[bool, str]]:
    """The kinds of directions that are drawn, each with whether it is the first of its block."""
    kinds = [kind for kind in KINDS if kind in set(rows["direction"])] or ["random"]
    return [(kind == kinds[0], kind) for kind in kinds]


def _halves(grid: Any) -> tuple[Any, Any]:
    """The two places of a grid of two."""
    return grid[0], grid[1]


def _tiles(rows: pd.DataFrame) -> int:
    """The direction and the images beside the curves."""
    return 1 + max((len(str(text).split()) for text in rows["shown_steps"].fillna("")), default=0)


def _title(rows: pd.DataFrame, signs: int) -> str:
    """Class, kind of direction and curvature."""
    name = literal_lines(str(rows["target_name"].iloc[0]), signs - 18, 1)
    curvature = float(rows["curvature"].iloc[0])
    known = f", $\\lambda$ = {curvature:.3g}".replace("-", "\N{MINUS SIGN}") if curvature == curvature else ""
    return f"class {name}, {rows['direction'].iloc[0]}{known}"


def _numbers(text: Any) -> np.ndarray[Any, Any]:
    return np.array(str(text).split(), dtype=float)


def _curves(axis: Any, rows: pd.DataFrame) -> None:
    """All curves; the followed one on top."""
    for _, row in rows.iterrows():
        scores, inside = _numbers(row["scores"]), _numbers(row["predictions"]) == row["target"]
        s = np.linspace(-row["range"], row["range"], len(scores))
        followed = str(row["shown_steps"]) not in ("", "nan")
        if not followed:
            axis.plot(s, scores, color=OUTSIDE, linewidth=0.5, alpha=0.7)
            axis.plot(s, np.where(inside, scores, np.nan), color=INSIDE, linewidth=0.7, alpha=0.7)
            continue
        shown = _numbers(row["shown_steps"]).astype(int)
        axis.plot(s, scores, color=FOLLOWED, linewidth=1.2, zorder=3)
        axis.plot(s[shown], scores[shown], color=FOLLOWED, linestyle="none", marker="o", markersize=3, zorder=3)
    axis.set_xlabel(r"$s$ (pixels in [0, 1])")
    axis.set_ylabel(r"score of the class")
    axis.margins(x=0.02)


def _images(figure: Figure, places: Any, rows: pd.DataFrame) -> None:
    """The direction, then images along the followed curve."""
    for _, row in rows[rows["shown_steps"].fillna("").astype(str) != ""].iterrows():
        names = json.loads(str(row["shown_names"]))
        s = np.linspace(-row["range"], row["range"], len(str(row["predictions"]).split()))
        steps = s[_numbers(row["shown_steps"]).astype(int)]
        tile = 0.95 if narrow() else 0.85
        titles = [
            f"$d$, {row['direction']}",
            *(f"{x:.2g}: {caption(n, tile - 0.25, 1)}" for x, n in zip(steps, names, strict=True)),
        ]
        images = np.split(decode(row), len(titles), axis=2)
        for k, (title, image) in enumerate(zip(titles, images, strict=True)):
            axis = figure.add_subplot(places[k // TILE_COLUMNS, k % TILE_COLUMNS])
            show(axis, image)
            axis.set_title(
                title.replace("-", "\N{MINUS SIGN}") if k else title, fontsize=small(7), pad=2, parse_math=not k
            )


def _legend() -> list[Any]:
    return [
        Line2D([], [], color=OUTSIDE, linewidth=0.8, label="image of another class"),
        Line2D([], [], color=INSIDE, linewidth=0.8, label="where the network says the class"),
        Line2D([], [], color=FOLLOWED, marker="o", markersize=3, label="of the images shown"),
    ]
