"""Figure 2 of jetley2018: scores and the transition into a class along its directions, and the directions as images."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advlab.plotting.pixels import decode, show
from advlab.plotting.style import LINES, literal_lines, narrow, small, width

KINDS = ("positive", "negative", "flat", "complement", "hi", "lo")
TARGET, OTHER, MOVED, SOFTMAX, OWN, RANDOM = LINES[0], LINES[1], LINES[2], LINES[3], LINES[6], "#888888"
IMAGES = 2  # directions of a kind that are drawn as images


def class_scores(table: pd.DataFrame) -> Figure:
    """A block for each run and drawn class, in which each kind of direction has its scores, its transition and its images.

    Left, the median over all images of the target's and of the largest other score, in a band of the 30th to the 70th
    percentile; right (in a column: below), the share of images of other classes that are moved into the class with
    their median softmax of it, the class's own that stay, and the share that a random direction moves.

    Args:
        table: rows of `ClassScores`, with a `run` column.
    """
    drawn = table[table["drawn"].astype(bool)]
    blocks = [(str(run), rows, kinds_of(rows)) for (run, _), rows in drawn.groupby(["run", "target"], sort=False)]
    total = 2 * sum(len(kinds) for _, _, kinds in blocks)
    row_height = 1.15 if narrow() else 0.8
    figure = Figure(
        figsize=(width(), total * row_height + 0.35 * len(blocks) + (0.6 if blocks else 1.4)), layout="constrained"
    )
    columns = 2 if narrow() else 3
    grid = figure.add_gridspec(max(1, total), columns, width_ratios=[3.2, 1] if narrow() else [3, 3, 1])
    row = 0
    for run, rows, kinds in blocks:
        scores: list[Any] = []  # axes with one vertical scale, so that flat directions look flat
        random = rows[rows["direction"] == "random"].sort_values("length")
        for kind in kinds:
            part = rows[rows["direction"] == kind]
            if narrow():
                places = grid[row, 0], grid[row + 1, 0]
            else:
                places = grid[row : row + 2, 0], grid[row : row + 2, 1]
            left, right = (figure.add_subplot(place) for place in places)
            first = part[part["index"] == 1].sort_values("length")
            _scores(left, first)
            if scores:
                left.sharey(scores[0])
            scores.append(left)
            _transition(right, first, random)
            title = _title(first, kind)
            if kind == kinds[0]:
                title = f"{_block_title(run, first)}\n{title}"
            left.set_title(title, fontsize=small(8))
            if not narrow():
                right.set_title("transition into the class", fontsize=small(8))
            if kind == kinds[-1] or narrow():
                right.set_xlabel(r"$s$ (pixels in [0, 1])")
            if kind == kinds[-1] and not narrow():
                left.set_xlabel(r"$s$ (pixels in [0, 1])")
            _images(figure, [grid[row + k, columns - 1] for k in range(IMAGES)], part)
            row += 2
    if not blocks:
        figure.text(0.5, 0.8, "no class that is drawn has boundary points", ha="center", fontsize=small(8))
    figure.legend(handles=_legend(), loc="outside lower center", ncols=2 if narrow() else 3, frameon=False)
    return figure


def kinds_of(rows: pd.DataFrame) -> list[str]:
    """The kinds of directions that have a panel; a random one is drawn beside the others, and has one where there are no others."""
    return [kind for kind in KINDS if kind in set(rows["direction"])] or ["random"]


def _block_title(run: str, rows: pd.DataFrame) -> str:
    """Run and class, in lines that fit the panel."""
    name = f"{rows['target_name'].iloc[0]}"
    signs = 34 if narrow() else 46
    return literal_lines(run, signs) + "\n" + literal_lines(f"class {name}", signs, 1)


def _title(rows: pd.DataFrame, kind: str) -> str:
    """The kind of direction and its curvature."""
    curvature = float(rows["curvature"].iloc[0])
    return f"{kind}, $\\lambda$ = {curvature:.3g}".replace("-", "\N{MINUS SIGN}") if curvature == curvature else kind


def _scores(axis: Any, rows: pd.DataFrame) -> None:
    """Median scores with their bands."""
    for name, colour in (("target", TARGET), ("other", OTHER)):
        axis.fill_between(
            rows["length"], rows[f"{name}_low"], rows[f"{name}_high"], color=colour, alpha=0.2, linewidth=0
        )
        axis.plot(rows["length"], rows[f"{name}_median"], color=colour)
    axis.set_ylabel("score")
    axis.margins(x=0)


def _transition(axis: Any, rows: pd.DataFrame, random: pd.DataFrame) -> None:
    """Shares of images, and the median softmax."""
    axis.plot(random["length"], random["moved"] / random["others"], color=RANDOM, linestyle=":")
    axis.plot(rows["length"], rows["moved"] / rows["others"], color=MOVED)
    axis.plot(rows["length"], rows["probability"], color=SOFTMAX, linestyle="-.")
    axis.plot(rows["length"], rows["stayed"] / rows["own"], color=OWN, linestyle="--")
    axis.set_ylim(-0.03, 1.03)
    axis.set_ylabel("share")
    axis.margins(x=0)


def _images(figure: Figure, places: list[Any], rows: pd.DataFrame) -> None:
    """The first directions as images."""
    kept = rows[rows["pixels"].fillna("").astype(str) != ""].sort_values("index").head(len(places))
    for place, (_, row) in zip(places, kept.iterrows(), strict=False):
        axis = figure.add_subplot(place)
        show(axis, decode(row))
        axis.set_title(f"$d_{{{int(row['index'])}}}$", fontsize=small(7), pad=2)


def _legend() -> list[Any]:
    looks: dict[str, dict[str, Any]] = {
        "target score": {"color": TARGET}, "largest other score": {"color": OTHER}, "moved into the class": {"color": MOVED},
        "median softmax": {"color": SOFTMAX, "linestyle": "-."},
        "own that stay": {"color": OWN, "linestyle": "--"}, "moved, random": {"color": RANDOM, "linestyle": ":"},
    }  # fmt: skip
    return [Line2D([], [], label=label, **look) for label, look in looks.items()]
