"""Adversarial labels and PASS of a network with and without blur: figure 5 of gunther2017, with norms and spectra below it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advlab.plotting.style import LINES, literal, literal_lines, narrow, small, width

from ..aliasing_claims import BLURRED, NETWORKS, ORIGINAL, AliasingNumbers
from ..aliasing_similarity import PASS_BINS

COLOURS = dict(zip(NETWORKS, LINES, strict=False))
MATRIX_COLOURS = "Blues"
NUMBERED = 12  # classes up to which a matrix's cells show their numbers
LEAST = 1e-4  # smallest share that is told apart
PANELS = {
    False: [["original"] * 3 + ["blurred"] * 3, ["pass"] * 2 + ["norm"] * 2 + ["spectrum"] * 2],
    True: [["original"], ["blurred"], ["pass"], ["norm"], ["spectrum"]],
}


def with_and_without_blur(table: pd.DataFrame) -> Figure:
    """Five panels a run: (a), (b) confusion matrices, (c) histogram of PASS, (d) smallest perturbations, (e) spectra.

    Args:
        table: rows of `aliasing` with a `run` column; FGV in the exact arithmetic is drawn. Numbers in matrices and histograms are
            means over seeds of images; lines in (d) are seeds; points in (e) are means over seeds, bars reach over all of them.
    """
    runs = list(dict.fromkeys(table["run"]))
    side = width() - 0.6 if narrow() else width() / 2 - 0.3
    heights = [side + 0.4] * (1 + narrow()) + [1.9] * (3 if narrow() else 1)
    figure = Figure(figsize=(width(), (sum(heights) + 0.5) * len(runs) + 0.4), layout="constrained")
    parts: Any = figure.subfigures(max(1, len(runs)), 1, squeeze=False)
    for part, run in zip(parts[:, 0], runs, strict=False):
        part.suptitle(literal_lines(str(run), 48 if narrow() else 100), fontsize=8)
        axes = part.subplot_mosaic(PANELS[narrow()], height_ratios=heights)
        of = AliasingNumbers(table[table["run"] == run])
        for letter, network in zip("ab", NETWORKS, strict=True):
            matrix = np.mean(of.labels(network, "exact"), axis=0)
            confusion_matrix(axes[network], matrix)
            axes[network].set_title(f"({letter}) {network} network")
        pass_panel(axes["pass"], of)
        norm_panel(axes["norm"], of)
        spectrum_panel(axes["spectrum"], of)
    handles = [Line2D([], [], color=COLOURS[network], label=f"{network} network") for network in NETWORKS]
    handles += [
        Line2D([], [], color="#555555", marker="o", markersize=4, linestyle="none", markerfacecolor=face, label=label)
        for face, label in (("#555555", "clean images"), ("white", "adversarial images"))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2 if narrow() else 4, frameon=False)
    return figure


def confusion_matrix(axis: Axes, matrix: np.ndarray[Any, Any]) -> None:
    """Numbers of images by original label (rows) and adversarial label (columns)."""
    classes = len(matrix)
    top = max(float(matrix.max(initial=0)), 1e-9)
    axis.imshow(matrix, cmap=MATRIX_COLOURS, vmin=0, vmax=top)
    axis.grid(False)
    if classes <= NUMBERED:
        for row, column in np.argwhere(matrix > 0):
            value = matrix[row, column]
            text = f"{value:.0f}" if value >= 1 else "<1"
            colour = "white" if value > 0.6 * top else "black"
            axis.text(column, row, text, ha="center", va="center", fontsize=small(6), color=colour)
        axis.set_xticks(range(classes))
        axis.set_yticks(range(classes))
    axis.set_xlabel("adversarial label")
    axis.set_ylabel("original label")


def pass_panel(axis: Axes, of: AliasingNumbers) -> None:
    """Share of the adversarial images in each bin of PASS."""
    for network in NETWORKS:
        counts = np.mean(of.histograms(network, "exact"), axis=0)
        if counts.sum():
            axis.stairs(100 * counts / counts.sum(), PASS_BINS, color=COLOURS[network], linewidth=1.2)
    axis.set_xlim(0, 1)
    axis.set_xlabel("(c) PASS")
    axis.set_ylabel("FGV images, %")


def norm_panel(axis: Axes, of: AliasingNumbers) -> None:
    """Median smallest perturbation of each seed, a line from the original to the blurred network."""
    medians = {network: of.median(network, "exact", "minimal") for network in NETWORKS}
    for original, blurred in zip(medians[ORIGINAL], medians[BLURRED], strict=True):
        axis.plot([0, 1], [original, blurred], color="#aaaaaa", linewidth=0.7, zorder=1)
    for place, network in enumerate(NETWORKS):
        values = medians[network]
        axis.plot([place] * len(values), values, "D", color=COLOURS[network], markersize=3)
    axis.set_xlim(-0.4, 1.4)
    known = np.concatenate(list(medians.values()))
    if np.isfinite(known).any():
        axis.set_ylim(0, 1.15 * known[np.isfinite(known)].max())
    axis.set_xticks([0, 1], list(NETWORKS))
    axis.set_xlabel("(d) network")
    axis.set_ylabel(r"median smallest $L_2$")


def spectrum_panel(axis: Axes, of: AliasingNumbers) -> None:
    """Shares of energy above the next Nyquist frequency at each layer's input: mean and range over seeds."""
    series = [
        (network, column, face)
        for network in NETWORKS
        for column, face in (("clean_high", COLOURS[network]), ("adversarial_high", "white"))
    ]
    for place, layer in enumerate(of.layers):
        for n, (network, column, face) in enumerate(series):
            values = np.maximum(of.high(network, layer, column), LEAST)
            values = values[~np.isnan(values)]
            if len(values):
                y = place + 0.2 * (n - 1.5)
                axis.plot([values.min(), values.max()], [y, y], color=COLOURS[network], linewidth=0.8)
                axis.plot(
                    values.mean(), y, "o", color=COLOURS[network], markerfacecolor=face, markersize=3.5,
                    markeredgewidth=0.8,
                )  # fmt: skip
    axis.set_xscale("log")
    axis.set_xlim(LEAST / 1.5, 1.2)
    axis.set_xticks([1e-4, 1e-2, 1])
    axis.set_yticks(range(len(of.layers)), [literal(layer, 12) for layer in of.layers])
    axis.set_ylim(max(1, len(of.layers)) - 0.5, -0.5)
    axis.set_xlabel("(e) share above next Nyquist")
