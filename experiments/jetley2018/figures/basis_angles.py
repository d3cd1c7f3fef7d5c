"""Overlap of curved directions with singular vectors: the figure of `basis_angles`."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import narrow, small

from .subspace_lines import LOOK, kind_handles, line, panels

NAMES = {"deepfool": "DeepFool", "gradient": "gradients"}


def overlaps(table: pd.DataFrame) -> Figure:
    """A column of panels for each run, one for either kind of singular vectors: overlaps against d, bands over classes.

    Args:
        table: rows of `basis_angles` with a `run` column.
    """
    table = table.rename(columns={"directions": "subspace"})
    figure, axes_of = panels(table, rows=len(NAMES), height=1.5, around=0.7 if narrow() else 0.5)
    for n, (run, axes) in enumerate(axes_of.items()):
        for axis, (source, name) in zip(axes, NAMES.items(), strict=True):
            own = table[(table["run"] == run) & (table["source"] == source) & (table["target"] >= 0)]
            for kind in (kind for kind in LOOK if kind in set(own["subspace"])):
                line(axis, own[own["subspace"] == kind], "overlap", kind)
            axis.set_ylim(-0.02, 1.03)
            if n == 0 or narrow():
                axis.set_ylabel(f"overlap with\n{name}", fontsize=small(8))
    figure.legend(handles=kind_handles(table), loc="outside lower center", ncols=3, frameon=False)
    return figure
