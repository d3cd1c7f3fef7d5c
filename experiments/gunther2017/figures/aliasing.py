"""Adversarial labels and PASS of a network with and without blur: figure 5 of gunther2017, with norms and spectra below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advlab.plotting.style import LINES, literal, literal_lines, narrow, small, width

MATRIX_COLOURS = "Blues"
NUMBERED = 12  # classes up to which a matrix's cells show their numbers
LEAST = 1e-4  # smallest share that is told apart
PANELS = {
    False: [["first"] * 3 + ["second"] * 3, ["pass"] * 2 + ["norm"] * 2 + ["spectrum"] * 2],
    True: [["first"] * 2, ["second"] * 2, ["pass", "norm"], ["spectrum"] * 2],
}


def with_and_without_blur(panels: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Figure:
    """Five panels a run: (a), (b) confusion matrices, (c) histogram of PASS, (d) smallest perturbations, (e) spectra.

    Args:
        panels: run -> labels, pass_scores, minimal, spectrum -> network -> numbers, of FGV in the exact arithmetic. Numbers in
            matrices and histograms are means over seeds; lines in (d) are seeds; points in (e) are means over seeds, and bars
            reach over all of them.
    """
    side = 2.2 if narrow() else width() / 2 - 0.3
    heights = [side + 0.4] * (1 + narrow()) + ([1.5, 1.5] if narrow() else [1.9])
    figure = Figure(figsize=(width(), (sum(heights) + 0.5) * len(panels) + 0.4), layout="constrained")
    parts: Any = figure.subfigures(max(1, len(panels)), 1, squeeze=False)
    networks: list[str] = []
    for part, (run, numbers) in zip(parts[:, 0], panels.items(), strict=False):
        part.suptitle(literal_lines(run, 48 if narrow() else 100), fontsize=8)
        axes = part.subplot_mosaic(PANELS[narrow()], height_ratios=heights)
        networks = list(numbers["labels"])
        for place, network in zip(("first", "second"), networks, strict=True):
            confusion_matrix(axes[place], numbers["labels"][network])
            axes[place].set_title(f"({'a' if place == 'first' else 'b'}) {network} network")
        pass_panel(axes["pass"], numbers["pass_scores"])
        norm_panel(axes["norm"], numbers["minimal"])
        spectrum_panel(axes["spectrum"], numbers["spectrum"])
    handles = [
        Line2D([], [], color=colour, label=f"{network} network")
        for network, colour in zip(networks, LINES, strict=False)
    ]
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


def pass_panel(axis: Axes, histograms: Mapping[str, Any]) -> None:
    """Share of the adversarial images in each bin of PASS, bins of one width from 0 to 1."""
    for counts, colour in zip(histograms.values(), LINES, strict=False):
        if counts.sum():
            axis.stairs(100 * counts / counts.sum(), np.linspace(0, 1, len(counts) + 1), color=colour, linewidth=1.2)
    axis.set_xlim(0, 1)
    axis.set_xlabel("(c) PASS")
    axis.set_ylabel("FGV images, %")


def norm_panel(axis: Axes, medians: Mapping[str, Any]) -> None:
    """Median smallest perturbation of each seed, a line from one network to the other."""
    known = np.array(list(medians.values()), dtype=float)
    axis.plot(range(len(known)), known, color="#aaaaaa", linewidth=0.7, zorder=1)
    for place, (values, colour) in enumerate(zip(known, LINES, strict=False)):
        axis.plot([place] * len(values), values, "D", color=colour, markersize=3)
    axis.set_xlim(-0.4, len(known) - 0.6)
    if np.isfinite(known).any():
        axis.set_ylim(0, 1.15 * known[np.isfinite(known)].max())
    axis.set_xticks(range(len(known)), list(medians))
    axis.set_xlabel("(d) network")
    axis.set_ylabel(r"median smallest $L_2$")


def spectrum_panel(axis: Axes, shares: Mapping[str, Mapping[str, Any]]) -> None:
    """Shares of energy above the next Nyquist frequency at each layer's input: mean and range over seeds."""
    layers: list[str] = []
    for n, (of_layers, colour) in enumerate(zip(shares.values(), LINES, strict=False)):
        layers = list(of_layers)
        for place, pair in enumerate(of_layers.values()):
            for m, (values, face) in enumerate(zip(pair, (colour, "white"), strict=True)):
                known = np.maximum(values[~np.isnan(values)], LEAST)
                if len(known):
                    y = place + 0.2 * (2 * n + m - 1.5)
                    axis.plot([known.min(), known.max()], [y, y], color=colour, linewidth=0.8)
                    axis.plot(
                        known.mean(), y, "o", color=colour, markerfacecolor=face, markersize=3.5, markeredgewidth=0.8
                    )
    axis.set_xscale("log")
    axis.set_xlim(LEAST / 1.5, 1.2)
    axis.set_xticks([1e-4, 1e-2, 1])
    axis.set_yticks(range(len(layers)), [literal(layer, 12) for layer in layers])
    axis.set_ylim(max(1, len(layers)) - 0.5, -0.5)
    axis.set_xlabel("(e) share above next Nyquist")
