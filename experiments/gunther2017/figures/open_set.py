"""Table 3 of gunther2017 as shares, and what tail size, offset of the logits and length of the perturbation do."""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advlab.plotting.style import LINES, literal_lines, narrow, small, width

#: outcome -> label, colour and hatch
OUTCOMES = {
    "correct": ("correct", "#0072B2", ""),
    "unknown": ("unknown", "#009E73", ""),
    "same_target": ("same target", "#D55E00", "///"),
    "other": ("other class", "#F0E442", "..."),
}
#: table 3 in %: correct, unknown, same target, other
PAPER = {
    "test set": (98.07, 0.63, 0.0, 1.30),
    "FGS": (91.11, 1.82, 5.76, 1.31),
    "FGV": (99.29, 0.30, 0.0, 0.40),
    "HC-1": (98.90, 0.60, 0.10, 0.40),
    "F50": (0.0, 69.06, 18.89, 12.06),
    "F90": (0.0, 69.28, 26.96, 3.75),
    "F99": (0.0, 15.46, 83.12, 1.42),
}
MARKS = ("o", "s", "^", "v", "D", "P", "X", "*", "<")
COLOURS = (*LINES, "#888888", "#882255")


def open_set(table: pd.DataFrame) -> Figure:
    """Four panels a run: outcomes beside the paper's, tail size, offset of all logits, and strength of the perturbation.

    Args:
        table: rows of `open_set` with a `run` column; several runs are drawn one below the other.
    """
    runs = list(dict.fromkeys(table["run"]))
    rows, columns = (4, 1) if narrow() else (2, 2)
    heights = [1.9, 1, 1, 1] if narrow() else [1.35, 1]
    figure = Figure(figsize=(width(), max(1, len(runs)) * (10.5 if narrow() else 6.2)), layout="constrained")
    parts = figure.subfigures(max(1, len(runs)), 1, squeeze=False)[:, 0]
    for part, run in zip(parts, runs, strict=False):
        own = table[table["run"] == run]
        if len(runs) > 1:
            part.suptitle(literal_lines(str(run), 60 if not narrow() else 34), fontsize=8)
        axes = part.subplots(rows, columns, height_ratios=heights).flatten()
        lines = looks(own)
        draw_outcomes(axes[0], own)
        draw_sweep(axes[1], own, lines, "tail_size", "tail size", log=True)
        draw_sweep(axes[2], own, lines, "offset", "constant added to all logits", log=False)
        draw_strength(axes[3], own, lines)
        if lines:
            axes[1].legend(
                handles=[Line2D([], [], label=name, **look) for name, look in lines.items()], loc="lower center",
                bbox_to_anchor=(0.5, 1.0), ncols=3 if narrow() else 4, frameon=False, fontsize=small(6.5), columnspacing=0.9,
                handletextpad=0.4,
            )  # fmt: skip
    return figure


def draw_outcomes(axis: Any, table: pd.DataFrame) -> None:
    """Stacked bars of the paper's open set network: ours, and below each the paper's, thinner."""
    paper = table[(table["network"] == "openmax") & (table["varied"] == "")]
    shown = paper[paper["group"].isin(["test", "adversarial", "starts", "fooling"]) & (paper["total"] > 0)]
    names = list(shown["images"])
    for place, row in enumerate(shown.to_dict("records")):
        left = their_left = 0.0
        theirs = PAPER.get(row["images"])
        for k, (outcome, (label, colour, hatch)) in enumerate(OUTCOMES.items()):
            value = 100 * row[outcome] / row["total"]
            axis.barh(
                place, value, left=left, height=0.5, color=colour, hatch=hatch, edgecolor="white", linewidth=0,
                label=label if place == 0 else None,
            )  # fmt: skip
            left += value
            if theirs:
                axis.barh(
                    place + 0.36, theirs[k], left=their_left, height=0.16, color=colour, hatch=hatch, edgecolor="white",
                    linewidth=0, alpha=0.75,
                )  # fmt: skip
                their_left += theirs[k]
    axis.set_yticks(range(len(names)), names)
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("% of the images (thin: the paper's table 3)")
    if names:
        axis.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2 if narrow() else 4, frameon=False, fontsize=small(6.5),
            columnspacing=0.9, handletextpad=0.4,
        )  # fmt: skip


def looks(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """How the line of each kind of images looks in all panels: test, adversarial (exact arithmetic) and fooling images."""
    chosen = table[table["group"].isin(["test", "adversarial", "fooling"]) & (table["arithmetic"] != "float32")]
    names = list(dict.fromkeys(chosen["images"]))
    return {
        str(name): {"color": COLOURS[k % len(COLOURS)], "marker": MARKS[k % len(MARKS)], "markersize": 3}
        for k, name in enumerate(names)
    }  # fmt: skip


def draw_sweep(
    axis: Any, table: pd.DataFrame, lines: dict[str, dict[str, Any]], varied: str, label: str, *, log: bool
) -> None:
    """Share that is right against one parameter: correct, or of fooling images unknown."""
    openmax = table[table["network"] == "openmax"]
    for name, look in lines.items():
        rows = openmax[(openmax["images"] == name) & (openmax["varied"] == varied) & (openmax["total"] > 0)]
        if not len(rows):
            continue
        right = "unknown" if rows["group"].iloc[0] == "fooling" else "correct"
        points = [(float(v), 100 * r / t) for v, r, t in zip(rows["value"], rows[right], rows["total"], strict=True)]
        base = openmax[(openmax["images"] == name) & (openmax["varied"] == "")]
        for row in base.to_dict("records"):
            own = 0.0 if varied == "offset" else float(row["value"] or math.nan)
            points.append((own, 100 * row[right] / row["total"]))
        x, y = zip(*sorted(points), strict=True)
        axis.plot(x, y, **look)
    if log:
        axis.set_xscale("log")
    axis.set_ylim(-3, 103)
    axis.set_xlabel(label)
    axis.set_ylabel("% correct; F: % unknown")


def draw_strength(axis: Any, table: pd.DataFrame, lines: dict[str, dict[str, Any]]) -> None:
    """Share of adversarial images that is corrected, against the length of the perturbation over the smallest."""
    rows = table[(table["network"] == "openmax") & (table["varied"] == "") & (table["arithmetic"] != "float32")]
    kinds = [
        n for n in rows.loc[rows["group"] == "adversarial", "images"] if (rows["images"].str.startswith(f"{n} x")).any()
    ]
    for name in kinds:
        points = []
        for row in rows.to_dict("records"):
            found = re.fullmatch(re.escape(name) + r"(?: x ([\d.]+))?", row["images"])
            if found and row["total"]:
                points.append((float(found[1] or 1), 100 * row["correct"] / row["total"]))
        if not points:
            continue
        x, y = zip(*sorted(points), strict=True)
        axis.plot(x, y, **lines[name])
        sure = rows[rows["images"].str.startswith(f"{name} p >=") & (rows["total"] > 0)]
        for row in sure.to_dict("records"):
            level = row["images"].split()[-1]
            axis.axhline(
                100 * row["correct"] / row["total"], color=lines[name]["color"], linewidth=0.6,
                linestyle=":" if math.isclose(float(level), 0.5) else "--",
            )  # fmt: skip
    axis.set_ylim(-3, 103)
    axis.set_xlabel("length over the smallest (lines: wrong\nclass at 50 %, dotted; above, dashed)")
    axis.set_ylabel("% corrected")
