"""Accuracy against the length of perturbations, direct and transferred: figure 5 of barati2021."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from advlab.plotting.style import LINES, PAGE, literal

COLOURS = {
    "hard": LINES[1],
    "reference": LINES[0],
    "third": LINES[6],
    "noise": LINES[2],
    "pgd": LINES[3],
    "adversarial": LINES[4],
}
LABELS = {
    "hard": "robust: hard points, a third",
    "reference": "reference: clean, whole set",
    "third": "clean, the same third",
    "noise": "noise, a third",
    "pgd": "PGD training, a third",
    "adversarial": "adversarial points, a third",
}
FOUR = (
    ("hard", "hard", "-"),
    ("hard", "reference", "--"),
    ("reference", "reference", "-"),
    ("reference", "hard", "--"),
)


def robustness_panels(table: pd.DataFrame) -> Figure:
    """Three panels a run: the paper's four curves, all networks under the one-step attack, and under PGD and one step clipped.

    Lines are medians over seeds, bands their whole range.

    Args:
        table: rows of hard_point_training with a `run` column.
    """
    runs = [rows for _, rows in table.groupby(["run", "ascent"], sort=False)]
    figure = Figure(figsize=(PAGE, 0.75 + 2.05 * len(runs)), layout="constrained")
    axes = figure.subplots(len(runs), 3, squeeze=False, sharey=True, sharex="row")
    networks = [name for name in LABELS if name in set(table["victim"])]
    for row, rows in zip(axes, runs, strict=True):
        for victim, source, dash in FOUR:
            line(row[0], rows, victim, source, "one_step", color=COLOURS[victim], linestyle=dash)
        for axis, attack in ((row[1], "one_step"), (row[2], "pgd")):
            for name in networks:
                line(axis, rows, name, name, attack, color=COLOURS[name])
        for name in networks:
            line(row[2], rows, name, name, "one_step_clipped", color=COLOURS[name], linestyle="--", linewidth=0.8)
        line(row[1], rows, "reference", "none", "noise", color=COLOURS["reference"], linestyle=":")
        if not (rows["attack"] == "pgd").any():
            row[2].text(0.5, 0.5, "not measured", transform=row[2].transAxes, ha="center")
        name = literal(str(rows["run"].iloc[0]), 24)
        row[0].set_title(f"{name}, ascent {rows['ascent'].iloc[0]}")
        row[1].set_title("on their own images, one step")
        row[2].set_title("on their own images, clipped, PGD")
        row[0].set_ylabel("test accuracy")
        row[0].yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        row[0].set_ylim(-0.03, 1.03)
        row[0].set_xlim(0, rows["epsilon"].max())
    for axis in axes[-1]:
        axis.set_xlabel(r"$L_2$ norm $\varepsilon$, pixels in [0, 1]")
    handles: list[Any] = [Line2D([], [], color=COLOURS[name], label=LABELS[name]) for name in networks]
    for dash, label in (
        ("--", "left: on the other's images"),
        ("--", "right: one step, clipped"),
        (":", "reference under noise"),
    ):
        handles.append(Line2D([], [], color="#777777", linestyle=dash, label=label))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, columnspacing=1.2)
    return figure


def line(axis: Any, rows: pd.DataFrame, victim: str, source: str, attack: str, **look: Any) -> None:
    """One curve, where there is one: the median over seeds and their range."""
    part = rows[(rows["victim"] == victim) & (rows["source"] == source) & (rows["attack"] == attack)]
    if not len(part):
        return
    groups = (part["correct"] / part["images"]).groupby(part["epsilon"])
    middle, low, high = groups.median(), groups.min(), groups.max()
    axis.fill_between(middle.index, low, high, color=look["color"], alpha=0.15, linewidth=0)
    axis.plot(middle.index, middle, **look)
