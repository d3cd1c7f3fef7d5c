"""Success of attacks against the size of their perturbations: the figure of `attack_survey`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from advlab.plotting.style import LINES, PAGE, literal

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PANELS = (
    ("l2", r"$L_2$ norm, pixels in [0, 1]"),
    ("linf", r"$L_\infty$ norm, pixels in [0, 1]"),
    ("pass_score", "1 − PASS"),
)
DASHES = ("-", "--", ":", "-.")  # after the colours are used up
MARKERS = "os^vDP*X"
LEGEND = 44  # signs of a label


def success_curves(table: pd.DataFrame) -> Figure:
    """Share of the eligible images with an adversarial image of at most some size, a curve for each run and attack.

    Attacks that look for the smallest perturbation give a curve; those of a given length one point, at the median size
    over eligible images.

    Args:
        table: rows of the attacked network itself, with `run`, `attack`, `minimal`, `eligible`, `success`, `l2`,
            `linf` and `pass_score`.
    """
    from matplotlib.figure import Figure

    groups = [(key, rows[rows["eligible"]]) for key, rows in table.groupby(["run", "attack"], sort=False)]
    labels = curve_labels([key for key, _ in groups])
    networks = {network(run) for (run, _), _ in groups}
    legend_rows = -(-len(groups) // 2)
    figure = Figure(figsize=(PAGE, 2.5 + 0.16 * legend_rows), layout="constrained")
    axes = figure.subplots(1, len(PANELS), sharey=True)
    handles: list[Any] = []
    for axis, (column, title) in zip(axes, PANELS, strict=True):
        sizes = [sorted(size(rows, column)) for _, rows in groups]
        given = [
            size(rows, column, rows["eligible"]) for _, rows in groups if len(rows) and not rows["minimal"].iloc[0]
        ]
        right = limit([*sizes, *map(sorted, given)])
        handles = []
        for n, ((_, rows), values) in enumerate(zip(groups, sizes, strict=True)):
            look = {"color": LINES[n % len(LINES)], "linestyle": DASHES[n // len(LINES) % len(DASHES)]}
            share = len(values) / len(rows) if len(rows) else 0.0
            label = f"{literal(labels[n], LEGEND)}: {len(values)} of {len(rows)}"
            if len(rows) and bool(rows["minimal"].iloc[0]):
                heights = [i / len(rows) for i in range(len(values) + 1)]
                handles += axis.step([0, *values, right], [*heights, heights[-1]], where="post", label=label, **look)
            else:
                lengths = sorted(size(rows, column, rows["eligible"]))  # of all: the length is given, not found
                middle, height = ([lengths[len(lengths) // 2]], [share]) if lengths else ([], [])
                marker = MARKERS[n % len(MARKERS)]
                handles += axis.plot(
                    middle, height, marker=marker, color=look["color"], linestyle="none", markersize=5, label=label
                )  # fmt: skip
        axis.set_xlabel(title)
        axis.set_xlim(0, right)
        axis.set_ylim(-0.03, 1.03)
    if len(networks) == 1:
        figure.suptitle(literal(networks.pop(), 80), fontsize=8)
    axes[0].set_ylabel("share of eligible images")
    figure.legend(handles=handles, loc="outside lower center", ncols=min(2, len(groups)), frameon=False)
    return figure


def size(rows: pd.DataFrame, column: str, chosen: pd.Series | None = None) -> list[float]:
    """How large the perturbations of the successful rows, or of those chosen, are; 1 - PASS for the similarity."""
    values = rows.loc[rows["success"] if chosen is None else chosen, column].dropna()
    return list(1 - values if column == "pass_score" else values)


def limit(sizes: list[list[float]]) -> float:
    """Right end of an axis: beyond 99 % of every group's sizes, so that one outlier does not squeeze all the others."""
    ends = [values[min(len(values) - 1, round(0.99 * len(values)))] for values in sizes if values]
    return max([1.05 * end for end in ends if end > 0], default=1.0)


def curve_labels(keys: list[tuple[str, str]]) -> list[str]:
    """The attack where it tells the curves apart, with the run where it does not."""
    attacks, networks = [attack for _, attack in keys], {network(run) for run, _ in keys}
    alone = len(set(attacks)) == len(attacks) and len(networks) == 1
    return [attack if alone else f"{attack}, {run.partition(': ')[2] or run}" for run, attack in keys]


def network(run: str) -> str:
    """Model and dataset of a run's label, without its attack and its version."""
    return re.sub(r" \([^()]*\)$", "", run.partition(": ")[2] or run)
