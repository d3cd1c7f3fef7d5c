"""Success of attacks against the size of their perturbations: the figure of `attack_survey`."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import LINES, PAGE, literal

PANELS = (
    ("l2", r"$L_2$ norm, pixels in [0, 1]"),
    ("linf", r"$L_\infty$ norm, pixels in [0, 1]"),
    ("pass_score", "1 − PASS"),
)
DASHES = ("-", "--", ":", "-.")  # the next one each time that the colours are used up
MARKERS = "os^vDP*X"
LABEL_WIDTH = 44  # signs of a label in the legend
VERSION = r" \([^()=]*\)$"  # behind the labels of runs that differ in nothing


def success_curves(table: pd.DataFrame) -> Figure:
    """Share of the eligible images with an adversarial image of at most some size, a curve for each run and attack.

    Attacks that look for the smallest perturbation give a curve; those of a given length one point, at the median size
    over eligible images.

    Args:
        table: rows of the attacked network itself, with `run`, `attack`, `minimal`, `eligible`, `success`, `l2`,
            `linf` and `pass_score`.
    """
    groups = [(key, rows[rows["eligible"]]) for key, rows in table.groupby(["run", "attack"], sort=False)]
    labels = curve_labels([key for key, _ in groups])
    networks = {network(run) for (run, _), _ in groups}
    legend_rows = -(-len(groups) // 2)
    figure = Figure(figsize=(PAGE, 2.5 + 0.16 * legend_rows), layout="constrained")
    axes = figure.subplots(1, len(PANELS), sharey=True)
    handles: list[Any] = []
    for axis, (column, title) in zip(axes, PANELS, strict=True):
        right = right_end([sizes for _, rows in groups for sizes in drawn_sizes(rows, column)])
        handles = []
        for n, (_, rows) in enumerate(groups):
            handles += draw_group(axis, rows, column, right, n, literal(labels[n], LABEL_WIDTH))
        axis.set_xlabel(title)
        axis.set_xlim(0, right)
        axis.set_ylim(-0.03, 1.03)
    if len(networks) == 1:
        figure.suptitle(literal(networks.pop(), 80), fontsize=8)
    axes[0].set_ylabel("share of eligible images")
    figure.legend(handles=handles, loc="outside lower center", ncols=min(2, len(groups)), frameon=False)
    return figure


def draw_group(axis: Any, rows: pd.DataFrame, column: str, right: float, n: int, name: str) -> list[Any]:
    """Draw the n-th run and attack in one panel; gives its handles for the legend.

    Args:
        axis: of the panel, whose right end is `right`.
        rows: the eligible images.
        column: of the size, as in PANELS.
        right: the curve is drawn up to there.
        n: chooses colour, dashes and marker.
        name: in the legend, with the number of successes.
    """
    colour, successes = LINES[n % len(LINES)], success_sizes(rows, column)
    label = f"{name}: {len(successes)} of {len(rows)}"
    if finds_smallest(rows):
        heights = [i / len(rows) for i in range(len(successes) + 1)]
        dashes = DASHES[n // len(LINES) % len(DASHES)]
        return list(
            axis.step(
                [0, *successes, right],
                [*heights, heights[-1]],
                where="post",
                label=label,
                color=colour,
                linestyle=dashes,
            )
        )
    lengths = eligible_sizes(rows, column)
    middle, height = ([lengths[len(lengths) // 2]], [len(successes) / len(rows)]) if lengths else ([], [])
    marker = MARKERS[n % len(MARKERS)]
    return list(axis.plot(middle, height, marker=marker, color=colour, linestyle="none", markersize=5, label=label))


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


def curve_labels(keys: list[tuple[str, str]]) -> list[str]:
    """A label for each (run, attack): the attack where it tells the curves apart, with more of the run's where it does not.

    The network, where all have the same, stands above the figure; an option of the attack is named once.
    """
    attacks, networks = [attack for _, attack in keys], {network(run) for run, _ in keys}
    if len(set(attacks)) == len(attacks) and len(networks) == 1:
        return attacks
    labels = []
    for run, attack in keys:
        version = re.search(VERSION, run)
        name, *options = re.sub(VERSION, "", without_attack(run)).split(", ")
        said = re.split(r"[(), ]+", attack)
        words = [attack, *([name] if len(networks) > 1 else []), *(word for word in options if word not in said)]
        labels.append(", ".join(words) + (version[0] if version else ""))
    return labels


def network(run: str) -> str:
    """Model and dataset of a run's label, without its attack, what else it names, and its version."""
    return re.sub(VERSION, "", without_attack(run).split(", ")[0])


def without_attack(run: str) -> str:
    """A run's label without the attack before its colon."""
    return run.partition(": ")[2] or run
