"""Accuracy against the length of perturbations, direct and transferred: figure 5 of barati2021."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from advlab.plotting.style import LINES, literal, narrow, width

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
DIFFERENCE = 0.02  # of accuracies: where all curves of a panel are nearer to each other, it ends
#: (victim, source, line style) of the four curves that the paper draws
PAPERS_CURVES = (
    ("hard", "hard", "-"),
    ("hard", "reference", "--"),
    ("reference", "reference", "-"),
    ("reference", "hard", "--"),
)


def robustness_panels(table: pd.DataFrame) -> Figure:
    """Three panels a run: the paper's four curves, all networks under the one-step attack, and under PGD and one step clipped.

    Lines are medians over seeds, bands their whole range. Each panel ends where its networks no longer differ.

    Args:
        table: rows of hard_point_training with a `run` column.
    """
    runs = [rows for _, rows in table.groupby(["run", "ascent"], sort=False)]
    height = 1.9 + 4.6 * len(runs) if narrow() else 0.75 + 2.05 * len(runs)
    figure = Figure(figsize=(width(), height), layout="constrained")
    grid = figure.subplots(*((3 * len(runs), 1) if narrow() else (len(runs), 3)), squeeze=False, sharey=True)
    axes = grid.reshape(len(runs), 3)
    networks = [name for name in LABELS if name in set(table["victim"])]
    for panels, rows in zip(axes, runs, strict=True):
        draw_run(panels, rows, networks)
    for panel in grid[-1]:
        panel.set_xlabel(r"$L_2$ norm $\varepsilon$, pixels in [0, 1]")
    handles: list[Any] = [Line2D([], [], color=COLOURS[name], label=LABELS[name]) for name in networks]
    for style, label in (
        ("--", f"{'first' if narrow() else 'left'}: on the other's images"),
        ("--", f"{'last' if narrow() else 'right'}: one step, clipped"),
        (":", "reference under noise"),
    ):
        handles.append(Line2D([], [], color="#777777", linestyle=style, label=label))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=1 if narrow() else 4, frameon=False, columnspacing=1.2
    )
    return figure


def draw_run(panels: Any, rows: pd.DataFrame, networks: list[str]) -> None:
    """The three panels of one run."""
    transfer, one_step, clipped = panels
    for victim, source, style in PAPERS_CURVES:
        draw_accuracy(transfer, rows, victim, source, "one_step", color=COLOURS[victim], linestyle=style)
    for name in networks:
        draw_accuracy(one_step, rows, name, name, "one_step", color=COLOURS[name])
    for name in networks:
        draw_accuracy(clipped, rows, name, name, "pgd", color=COLOURS[name])
    for name in networks:
        draw_accuracy(clipped, rows, name, name, "one_step_clipped", color=COLOURS[name], linestyle="--", linewidth=0.8)
    draw_accuracy(one_step, rows, "reference", "none", "noise", color=COLOURS["reference"], linestyle=":")
    if not (rows["attack"] == "pgd").any():
        clipped.text(0.5, 0.5, "not measured", transform=clipped.transAxes, ha="center")
    run = literal(str(rows["run"].iloc[0]), 34 if narrow() else 24)
    break_ = ", " if len(run) < 16 else "\n"
    transfer.set_title(f"{run}{break_}ascent {rows['ascent'].iloc[0]}")
    one_step.set_title("on their own images, one step")
    clipped.set_title("on their own images, clipped, PGD")
    for panel in panels if narrow() else panels[:1]:
        panel.set_ylabel("test accuracy")
        panel.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    transfer.set_ylim(-0.03, 1.03)
    for panel in panels:
        panel.set_xlim(0, end_of_differences(panel) or rows["epsilon"].max())


def end_of_differences(axis: Any) -> float:
    """The first epsilon from which on the drawn accuracies, noise apart, differ by less than DIFFERENCE; 0 without any."""
    curves = [pd.Series(line.get_ydata(), line.get_xdata()) for line in axis.lines if line.get_linestyle() != ":"]
    spread = pd.DataFrame(curves).T.sort_index().pipe(lambda table: table.max(axis=1) - table.min(axis=1))
    differ = spread.index[spread >= DIFFERENCE]
    return float(spread.index[spread.index >= differ[-1]][:2][-1]) if len(differ) else 0.0


def draw_accuracy(axis: Any, rows: pd.DataFrame, victim: str, source: str, attack: str, **look: Any) -> None:
    """Draw the accuracy of a victim on the images of a source against epsilon, if measured: median and range over seeds."""
    measured = rows[(rows["victim"] == victim) & (rows["source"] == source) & (rows["attack"] == attack)]
    if not len(measured):
        return
    by_epsilon = (measured["correct"] / measured["images"]).groupby(measured["epsilon"])
    median, low, high = by_epsilon.median(), by_epsilon.min(), by_epsilon.max()
    axis.fill_between(median.index, low, high, color=look["color"], alpha=0.15, linewidth=0)
    axis.plot(median.index, median, **look)
