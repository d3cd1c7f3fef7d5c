"""Functions of one variable beside their derivatives: figure 5 of aghdam2017."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import literal, narrow, width

LOOKS: dict[
    str, dict[str, Any]
] = {  # purple and yellow as in the paper, far apart in lightness for every kind of sight
    "line": {"color": "#777777", "linewidth": 1.0, "linestyle": ":", "label": "straight line (control)"},
    "wave": {"color": "#5B2A86", "linewidth": 2.6, "label": "wave"},
    "plateau": {"color": "#F0B400", "linewidth": 1.3, "label": "plateau"},
}


def functions_and_derivatives(table: pd.DataFrame) -> Figure:
    """Two panels for each run: the functions, and their derivatives.

    Args:
        table: rows of `lipschitz_toy` with a `run` column.
    """
    runs = list(dict.fromkeys(table["run"]))
    height = 0.5 + 3.2 * len(runs) if narrow() else 0.35 + 2.2 * len(runs)
    figure = Figure(figsize=(width(), height), layout="constrained")
    axes = (
        figure.subplots(2 * len(runs), 1).reshape(-1, 2) if narrow() else figure.subplots(len(runs), 2, squeeze=False)
    )
    for run, (left, right) in zip(runs, axes, strict=True):
        rows = table[table["run"] == run]
        for function, look in LOOKS.items():
            part = rows[rows["function"] == function]
            look = look | {"linewidth": look["linewidth"] * (0.7 if narrow() else 1.0)}
            left.plot(part["x"], part["value"], **look)
            right.plot(part["x"], part["derivative"], **look)
        waves = rows.loc[rows["function"] != "line", "value"].abs().max()
        left.set_ylim(-1.5 * waves, 1.5 * waves)  # the line leaves the panel
        name = f"{literal(str(run), 22 if narrow() else 30)}: " if len(runs) > 1 else ""
        for axis, title, label in ((left, "functions", "$f(x)$"), (right, "derivatives", "$f'(x)$")):
            axis.set_title(name + title)
            axis.set_xlabel("$x$")
            axis.set_ylabel(label)
            axis.set_xlim(rows["x"].min(), rows["x"].max())
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2 if narrow() else 3, frameon=False)
    return figure
