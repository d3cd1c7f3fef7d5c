"""What the figures of functions on [0, 1] share: their colours, a grid of panels, and shading where signs are wrong."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import LINES, narrow, width

BLUE, RED = LINES[0], LINES[1]
WRONG_SIGN: dict[str, Any] = {"color": "#E69F00", "alpha": 0.35, "linewidth": 0.6}
X_LIMITS = (-0.02, 1.02)  # [0, 1] and a little more: signs are often wrong beside the ends only
SHADED_HEIGHT = 10  # shading covers -10 to 10, more than any linear axis shows


def panel_grid(
    panels: int, several: bool, *, columns: int = 3, height: float = 1.6, strips: int = 0
) -> tuple[Any, list[Any]]:
    """A figure with a number of panels, and their axes.

    Args:
        panels: their number; the last row may have fewer than the others.
        several: the titles have a second line, which names the run.
        columns: panels beside each other, at most; one fewer in a figure of one column.
        height: of a row, in inches.
        strips: panels of the whole width below the others, the last of the axes.
    """
    columns = min(columns - 1 if narrow() else columns, panels)
    rows = -(-panels // columns)
    heights = [height + 0.15 * several] * rows + [1.5] * strips
    across = width() if columns > 1 or narrow() else width() / 2
    figure = Figure(figsize=(across, (0.8 if narrow() else 0.4) + sum(heights)), layout="constrained")
    grid = figure.add_gridspec(rows + strips, columns, height_ratios=heights)
    axes = [figure.add_subplot(grid[n // columns, n % columns]) for n in range(panels)]
    return figure, axes + [figure.add_subplot(grid[rows + n, :]) for n in range(strips)]


def curve(rows: pd.DataFrame) -> pd.Series:
    """The values of the one curve among some rows, indexed by x."""
    return rows[rows["quantity"] == "curve"].set_index("x")["value"]


def shade_wrong_signs(axis: Any, f: pd.Series, reference: pd.Series) -> None:
    """Shade the x where a function has not the sign of the reference; both are sampled at the same points."""
    differ = f.to_numpy() * reference.to_numpy() < 0
    axis.fill_between(f.index, -SHADED_HEIGHT, SHADED_HEIGHT, where=differ, step="mid", **WRONG_SIGN)
