"""Success of attacks against the size of their perturbations: the figure of `attack_survey`."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import LINES, literal, narrow, width

from .curve_labels import curve_labels

PANELS = (
    ("l2", r"$L_2$ norm, pixels in [0, 1]"),
    ("linf", r"$L_\infty$ norm, pixels in [0, 1]"),
    ("pass_score", "1 − PASS"),
)
#: one after the other as the seven colours are, and as many as have no divisor in common with seven: 56 different lines
DASHES: tuple[Any, ...] = (
    "-", "--", ":", "-.", (0, (8, 2)), (0, (1, 3)), (0, (6, 1, 1, 1, 1, 1)), (0, (4, 1, 4, 3)),
)  # fmt: skip
WIDEST, NARROWEST = 2.8, 1.2  # points, of the first and the last curve, so that one below another is seen
MARKERS = "os^vDP*X"
COLUMN_WIDTH, LEGEND_WIDTH = 44, 95  # signs of a label where the legend has two columns, and one
NARROW_WIDTH = 36  # signs of a line of a label in a figure of one column


def success_curves(table: pd.DataFrame) -> Figure:
    """Share of the eligible images with an adversarial image of at most some size, a curve for each run and attack.

    Attacks that look for the smallest perturbation give a curve; those of a given length one point, at the median size
    over eligible images.

    Args:
        table: rows of the attacked network itself, with `run`, `attack`, `minimal`, `eligible`, `success`, `l2`,
            `linf` and `pass_score`.
    """
    groups = [(key, rows[rows["eligible"]]) for key, rows in table.groupby(["run", "attack"], sort=False)]
    labels, in_common = curve_labels([key for key, _ in groups])
    legend_columns = 2 if len(groups) > 1 and max(map(len, labels)) <= COLUMN_WIDTH and not narrow() else 1
    legend_rows = -(-len(groups) // legend_columns)
    if narrow():
        labels = ["\n".join(textwrap.wrap(label, NARROW_WIDTH)) for label in labels]
        legend_rows = sum(label.count("\n") + 1 for label in labels)
    height = 1.5 * len(PANELS) + 0.4 if narrow() else 2.5
    figure = Figure(figsize=(width(), height + 0.16 * legend_rows), layout="constrained")
    axes = figure.subplots(len(PANELS), 1, sharey=True) if narrow() else figure.subplots(1, len(PANELS), sharey=True)
    handles: list[Any] = []
    for axis, (column, title) in zip(axes, PANELS, strict=True):
        right = right_end([sizes for _, rows in groups for sizes in drawn_sizes(rows, column)])
        handles = []
        for n, (_, rows) in enumerate(groups):
            thickness = WIDEST + (NARROWEST - WIDEST) * (n + 1) / len(groups) if len(groups) > 1 else NARROWEST
            lines = [literal(line, LEGEND_WIDTH) for line in labels[n].split("\n")]
            handles += draw_group(axis, rows, column, right, n, thickness, "\n".join(lines))
        axis.set_xlabel(title)
        axis.set_xlim(0, right)
        axis.set_ylim(-0.03, 1.03)
    if in_common:
        figure.suptitle(literal(in_common, 44 if narrow() else LEGEND_WIDTH), fontsize=8)
    for axis in axes if narrow() else axes[:1]:
        axis.set_ylabel("share of images" if narrow() else "share of eligible images")
    figure.legend(
        handles=handles, loc="outside lower center", ncols=legend_columns, frameon=False,
        handlelength=4,  # shows the dashes
    )  # fmt: skip
    return figure


def draw_group(axis: Any, rows: pd.DataFrame, column: str, right: float, n: int, width: float, name: str) -> list[Any]:
    """Draw the n-th run and attack in one panel; gives its handles for the legend.

    Args:
        axis: of the panel, whose right end is `right`.
        rows: the eligible images.
        column: of the size, as in PANELS.
        right: the curve is drawn up to there.
        n: chooses colour, dashes and marker.
        width: of the line, in points; a marker is four times as large, and hollow.
        name: in the legend, with the number of successes.
    """
    colour, successes = LINES[n % len(LINES)], success_sizes(rows, column)
    label = f"{name}: {len(successes)} of {len(rows)}"
    if finds_smallest(rows):
        heights = [i / len(rows) for i in range(len(successes) + 1)]
        dashes = DASHES[n % len(DASHES)]
        return list(
            axis.step(
                [0, *successes, right],
                [*heights, heights[-1]],
                where="post",
                label=label,
                color=colour,
                linestyle=dashes,
                linewidth=width,
            )
        )
    lengths = eligible_sizes(rows, column)
    middle, height = ([lengths[len(lengths) // 2]], [len(successes) / len(rows)]) if lengths else ([], [])
    marker = MARKERS[n % len(MARKERS)]
    return list(
        axis.plot(
            middle,
            height,
            marker=marker,
            color=colour,
            linestyle="none",
            markersize=4 * width,
            fillstyle="none",
            label=label,
        )
    )


def finds_smallest(rows: pd.DataFrame) -> bool:
    """Whether the attack looks for the smallest perturbation."""
    return bool(len(rows)) and bool(rows["minimal"].iloc[0])


def drawn_sizes(rows: pd.DataFrame, column: str) -> list[list[float]]:
    """The sizes that must fit a panel: of the successes, and of all eligible images where the length is given."""
    given_length = bool(len(rows)) and not finds_smallest(rows)
    return [success_sizes(rows, column), *([eligible_sizes(rows, column)] if given_length else [])]


def success_sizes(rows: pd.DataFrame, column: str) -> list[float]:
    """How large the perturbations of the successful rows are, ascending; 1 - PASS for the similarity."""
    return _ascending(rows.loc[rows["success"], column], column)


def eligible_sizes(rows: pd.DataFrame, column: str) -> list[float]:
    """The same of all eligible rows, whether they succeed or not."""
    return _ascending(rows.loc[rows["eligible"], column], column)


def _ascending(values: pd.Series, column: str) -> list[float]:
    """The sizes in ascending order, without those that were not measured."""
    measured = values.dropna()
    return sorted(1 - measured if column == "pass_score" else measured)


def right_end(groups: list[list[float]]) -> float:
    """Right end of an axis: beyond 99 % of every group's sizes, so that one outlier does not squeeze all the others."""
    ends = [sizes[min(len(sizes) - 1, round(0.99 * len(sizes)))] for sizes in groups if sizes]
    return max([1.05 * end for end in ends if end > 0], default=1.0)
