"""Convolution, pooling and radial basis functions on permuted inputs: section 2.2 of aghdam2017."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from advlab.plotting.style import LINES, literal, narrow, width

FLOOR = 1e-17  # differences of zero are drawn here
CASES = {  # (kernel, change) of the second panel, from above
    ("random", "permutation"): "random kernel,\npermutation",
    ("random", "shift"): "random kernel,\ncyclic shift",
    ("delta", "permutation"): "delta kernel,\npermutation",
    ("ones", "permutation"): "all-ones kernel,\npermutation",
    ("pair", "stripes"): "two-pixel kernel,\nstripes",
}
TITLES = (
    r"(a) $a = K * x_1$ against $b = K * x_2$",
    "(b) counterexamples",
    "(c) max-pooling",
    "(d) radial basis functions",
)
POOLED = {"rms": "r.m.s. difference", "relative": "relative distance", "decorrelation": "1 − correlation"}
RADIAL = {
    ("rbf-10", "centre"): "ten units, at a centre",
    ("rbf-1", "away"): "one unit, one width away",
    ("rbf-1", "centre"): "one unit, at its centre",
}


def permuted_inputs(table: pd.DataFrame) -> Figure:
    """Four panels for each run: difference against length, the counterexamples, pooling, radial basis functions.

    Args:
        table: rows of `frequency` with a `run` column. Points are medians over samples, bands and bars hold 95 % of them.
    """
    runs = list(dict.fromkeys(table["run"]))
    figure = Figure(figsize=(width(), (8.6 if narrow() else 4.9) * len(runs)), layout="constrained")
    parts: Any = figure.subfigures(len(runs), 1, squeeze=False)
    for run, (part,) in zip(runs, parts, strict=True):
        rows = table[table["run"] == run]
        if len(runs) > 1:
            part.suptitle(literal(str(run), 44 if narrow() else 80), fontsize=8)
        axes = part.subplots(4, 1) if narrow() else part.subplots(2, 2).flatten()
        for draw, axis in zip((_lengths, _counterexamples, _pooling, _radial), axes, strict=True):
            draw(axis, rows)
        for axis, title in zip(axes, TITLES, strict=True):
            axis.set_title(title, loc="left")
    return figure


def _spread(rows: pd.DataFrame, by: str, values: pd.Series) -> pd.DataFrame:
    """Median, 2.5 % and 97.5 % quantile of `values` for each value of the column `by`."""
    return values.groupby(rows[by]).quantile([0.5, 0.025, 0.975]).unstack()


def _line(axis: Any, spread: pd.DataFrame, label: str, color: str, **look: Any) -> None:
    axis.fill_between(spread.index, spread[0.025], spread[0.975], color=color, alpha=0.2, linewidth=0)
    axis.plot(spread.index, spread[0.5], color=color, label=label, **{"marker": "o", "markersize": 3, **look})


def _lengths(axis: Any, rows: pd.DataFrame) -> None:
    """||a - b|| against ||x||, and the same relative to the outputs."""
    whole = rows[rows["share"] == 1]
    part = whole[(whole["system"] == "random") & (whole["change"] == "permutation")]
    _line(axis, _spread(part, "length", part["distance"]), r"random kernel: $\|a - b\|$", LINES[0])
    predicted = part.groupby("length")["predicted"].median()
    axis.plot(
        predicted.index, predicted, linestyle="none", marker="x", color=LINES[6], markersize=6, zorder=3,
        label=r"$N^{-1/2}\,\|\hat K (\hat x_1 - \hat x_2)\|$",
    )  # fmt: skip
    _line(axis, _spread(part, "length", part["relative"]), r"$\|a - b\| / (\|a\| + \|b\|)$", LINES[1], linestyle="--")
    for system, label, color, marker in (
        ("ones", "all-ones kernel: rounding", LINES[2], "s"),
        ("pair", "two-pixel kernel, stripes: 0", LINES[3], "v"),
    ):
        other = whole[whole["system"] == system]
        spread = _spread(other, "length", other["distance"].clip(lower=FLOOR))
        _line(axis, spread, label, color, marker=marker)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_ylim(FLOOR / 10, 1e4)
    axis.set_yticks([1e-16, 1e-12, 1e-8, 1e-4, 1])
    axis.set_xlabel(r"length $\|x_1\| = \|x_2\|$")
    axis.set_ylabel("difference of the outputs")
    axis.legend(loc="center", bbox_to_anchor=(0.5, 0.52), frameon=False, labelspacing=0.25)


def _counterexamples(axis: Any, rows: pd.DataFrame) -> None:
    """Difference place by place and of the sorted values, as a share of the largest possible."""
    whole = rows[rows["share"] == 1]
    kinds = (("gain", "place by place", "o", LINES[0], -0.13), ("sorted_gain", "values, sorted", "D", LINES[1], 0.13))
    for n, key in enumerate(CASES):
        part = whole[(whole["system"] == key[0]) & (whole["change"] == key[1])]
        for column, label, marker, color, aside in kinds:
            low, middle, high = part[column].quantile([0.025, 0.5, 0.975])
            axis.plot([low, high], [n + aside] * 2, color=color, linewidth=1)
            axis.plot(
                middle, n + aside, marker=marker, color=color, markersize=4, linestyle="none", clip_on=False,
                label=label if n == 0 else None,
            )  # fmt: skip
    axis.set_yticks(range(len(CASES)), list(CASES.values()))
    axis.set_ylim(len(CASES) - 0.5, -0.5)
    axis.set_xlim(0, 1.02)
    axis.set_xlabel(r"$\|a - b\|\ /\ (\max|\hat K| \cdot \|x_1 - x_2\|)$")
    axis.legend(loc="lower right")


def _pooling(axis: Any, rows: pd.DataFrame) -> None:
    """Dissimilarity after max-pooling over that before it."""
    part = rows[(rows["system"] == "random") & (rows["change"] == "permutation")]
    for n, (measure, label) in enumerate(POOLED.items()):
        ratio = part[f"pooled_{measure}"] / part[measure]
        _line(axis, _spread(part, "share", ratio), label, LINES[n], marker="osD"[n])
    axis.axhline(1, color=LINES[6], linewidth=0.8, linestyle=":")
    axis.set_xlim(0, 1.02)
    axis.set_xlabel("share of the elements that is permuted")
    axis.set_ylabel("after / before max-pooling")
    axis.legend(loc="upper right")


def _radial(axis: Any, rows: pd.DataFrame) -> None:
    """Range of a radial basis function network's output over the directions."""
    for n, (key, label) in enumerate(RADIAL.items()):
        part = rows[(rows["system"] == key[0]) & (rows["change"] == key[1])]
        _line(axis, _spread(part, "length", part["distance"]), label, LINES[n], marker="osD"[n], clip_on=False)
    axis.set_ylim(0, 1.35 * axis.get_ylim()[1])
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_xlabel(r"radius $\|v\|$")
    axis.set_ylabel("range over directions")
    axis.legend(loc="upper left")
