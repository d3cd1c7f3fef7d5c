"""How far features move against how far the image does: figure 6 of aghdam2017, and the local constant's bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import LINES

from .panels import grid

INPUT = r"$\Vert h(x+v)-h(x)\Vert$"


def movements(table: pd.DataFrame, fits: Callable[[pd.DataFrame], tuple[Any, Any]]) -> Figure:
    """Normalised ||Phi(x + v) - Phi(x)|| against normalised ||v||, coloured by radius, with both fits.

    A point is the mean over T, a grey line reaches from the smallest to the largest of T. Beside the paper's points
    and curves: L = 1, and the median of the Jacobian's largest singular value at the samples, which is the steepest
    that the features can rise at radius 0.

    Args:
        table: lipschitz rows of one layer a run, with a `run` column; `image_length` and `feature_length` are the normalised
            ||v|| and ||Phi(x + v) - Phi(x)||. Panels as in `grid`.
        fits: gives the coefficients of the line and of the parabola through the rows of one panel, highest power first.
    """
    figure, panels = grid(table, height=2.3, xlabel=INPUT, sharey=False)
    mappable: Any = None
    for axis, part, column in panels:
        drawn = part.dropna(subset=["moved"])
        x, y = drawn["image_length"].to_numpy(), drawn["feature_length"].to_numpy()
        spread = x * drawn["normaliser"].to_numpy()
        axis.vlines(
            x, drawn["least_ratio"] * spread, drawn["largest_ratio"] * spread, color="#bbbbbb", linewidth=0.5, zorder=1,
            rasterized=True,
        )  # fmt: skip
        mappable = axis.scatter(
            x, y, c=drawn["radius"], s=5, cmap="viridis", vmin=0, vmax=table["radius"].max(), linewidths=0, zorder=2,
            rasterized=True,
        )  # fmt: skip
        line = np.linspace(0, x.max(initial=0), 200)
        first, second = fits(part)
        axis.plot(line, np.polyval(first, line), color="black", linewidth=2.4, label="first-order fit")
        axis.plot(line, np.polyval(second, line), color=LINES[0], label="second-order fit")
        steepest = (part["jacobian_norm"] * part["normaliser"]).median()
        axis.plot(line, line, color="#777777", linestyle=":", label="$L = 1$")
        axis.plot(
            line,
            steepest * line,
            color=LINES[1],
            linestyle="--",
            label="Jacobian's largest singular value, median over samples",
        )
        axis.set_xlim(0, x.max(initial=1e-9) * 1.03)
        tallest = (drawn["largest_ratio"] * spread).max()
        axis.set_ylim(0, tallest * 1.1 if tallest > 0 else 1)  # nothing to draw where features never move
        counted = part["trials"].sum() - part["nonfinite"].sum()
        share = part["contracted_normalised"].sum() / counted if counted else np.nan
        axis.set_xlabel(f"{INPUT}\n$L < 1$: {100 * share:.3g} %")
        if column == 0:
            axis.set_ylabel(r"$\Vert g(\Phi_L(x+v))-g(\Phi_L(x))\Vert$")
    bar = figure.colorbar(mappable, ax=[axis for axis, _, _ in panels], fraction=0.05, pad=0.01, aspect=30)
    bar.set_label("radius")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure
