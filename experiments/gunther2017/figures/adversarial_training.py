"""Networks fine-tuned on adversarial images, and controls: the figure of `adversarial_training`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from advlab.plotting.style import LINES, literal_lines, narrow, width


class Series(NamedTuple):
    """Points of one attack: whose, what they are called, and how they look."""

    attack: str
    arithmetic: str
    label: str
    color: str
    marker: str
    filled: bool


SERIES = (
    Series("fgs", "exact", "FGS", LINES[0], "o", True),
    Series("fgv", "exact", "FGV", LINES[1], "s", True),
    Series("hc", "", "HC", LINES[2], "^", True),
    Series("fgs", "float32", "FGS, float32", LINES[0], "o", False),
    Series("fgv", "float32", "FGV, float32", LINES[1], "s", False),
)
PLAIN = Series("fgs", "exact", "", "#333333", "D", True)


def fine_tuned_networks(table: pd.DataFrame, words: Mapping[str, str]) -> Figure:
    """Five panels a run: accuracy, success rates, PASS, smallest perturbation, accuracy under Auto-PGD; a row for each network.

    Args:
        table: rows of `adversarial_training` with a `run` column. Points are medians over seeds, lines reach from the smallest
            to the largest seed.
        words: network -> what it is called on the axis.
    """
    table = derived(table)
    runs = list(dict.fromkeys(table["run"]))
    rows, columns = (3, 2) if narrow() else (1, 5)
    networks = list(dict.fromkeys(table["network"]))
    height = (0.55 + rows * (0.42 + 0.19 * len(networks))) * len(runs) + 0.4
    figure = Figure(figsize=(width(), height), layout="constrained")
    parts: Any = figure.subfigures(len(runs), 1, squeeze=False)
    for part, run in zip(parts[:, 0], runs, strict=True):
        own = table[table["run"] == run]
        axes = part.subplots(rows, columns, sharey=True).ravel()
        part.suptitle(literal_lines(str(run), 52 if narrow() else 100), fontsize=8)
        minimal, ascent = PLAIN._replace(attack="deepfool_refined", arithmetic=""), PLAIN._replace(attack="apgd")
        panels = [
            ("accuracy", "clean accuracy (%)", [PLAIN]),
            ("rate", "success rate (%)", list(SERIES)),
            ("pass", "mean PASS", list(SERIES[:3])),
            ("l2", r"smallest $L_2$", [minimal]),
            ("left", "Auto-PGD leaves (%)", [ascent]),
        ]
        for axis, (quantity, label, series) in zip(axes, panels, strict=False):
            for n, one in enumerate(series):
                _points(axis, own, networks, quantity, one, 0.17 * (n - (len(series) - 1) / 2))
            axis.set_xlabel(label)
            axis.xaxis.set_major_locator(MaxNLocator(3, min_n_ticks=2))
            axis.set_yticks(range(len(networks)), [words[name] for name in networks])
            axis.set_ylim(len(networks) - 0.5, -0.5)
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
    handles = [
        Line2D([], [], color=s.color, marker=s.marker, linestyle="none", markersize=4, markerfacecolor=_face(s))
        for s in SERIES
    ]
    figure.legend(
        handles, [s.label for s in SERIES], loc="outside lower center", ncols=3 if narrow() else 5, frameon=False
    )
    return figure


def derived(table: pd.DataFrame) -> pd.DataFrame:
    """With the quantities that are drawn, of each row."""
    left = 1 - table["successes"] / table["eligible"]
    return table.assign(
        arithmetic=table["arithmetic"].fillna(""),
        accuracy=100 * table["test_correct"] / table["test_images"],
        rate=100 * (1 - left),
        left=100 * left,
        **{"pass": table["mean_pass"], "l2": table["median_l2"]},
    )


def _face(series: Series) -> str:
    return series.color if series.filled else "white"


def _points(axis: Any, own: pd.DataFrame, networks: list[str], quantity: str, series: Series, offset: float) -> None:
    """Median and range over seeds of one quantity, for each network."""
    which = own[(own["attack"] == series.attack) & (own["arithmetic"] == series.arithmetic)]
    for place, name in enumerate(networks):
        values = which.loc[which["network"] == name, quantity].dropna()
        if len(values):
            y = place + offset
            axis.plot([values.min(), values.max()], [y, y], color=series.color, linewidth=1)
            axis.plot(
                values.median(), y, color=series.color, marker=series.marker, markersize=3, linestyle="none",
                markerfacecolor=_face(series), markeredgewidth=0.8,
            )  # fmt: skip
