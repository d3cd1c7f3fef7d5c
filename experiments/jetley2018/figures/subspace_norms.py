"""Shares of perturbations in subspaces against the number of directions: figure 3 of jetley2018, bottom row."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from advlab.plotting.style import narrow, small

from .subspace_lines import LOOK, kind_handles, line, panels

NAMES = {"deepfool": "DeepFool", "fgsm": "FGSM", "uap": "UAP", "saliency": "saliency", "random": "random vectors"}


def norm_curves(table: pd.DataFrame) -> Figure:
    """A column of panels for each run, one a perturbation: the mean share of its norm in each subspace.

    Args:
        table: rows of `subspace_norms` with a `run` column; means over groups, bands over draws of random subspaces.
    """
    kinds = [kind for kind in NAMES if (table["perturbation"] == kind).any()]
    means = table.groupby(["run", "subspace", "d", "draw", "perturbation"], sort=False)["share"].mean().reset_index()
    figure, axes_of = panels(means, rows=len(kinds), height=1.05 if narrow() else 1.2, around=0.9 if narrow() else 0.6)
    for n, (run, axes) in enumerate(axes_of.items()):
        for axis, kind in zip(axes, kinds, strict=True):
            own = means[(means["run"] == run) & (means["perturbation"] == kind)]
            for space in (space for space in LOOK if space in set(own["subspace"])):
                line(axis, own[own["subspace"] == space], "share", space)
            axis.set_ylim(-0.02, 1.03)
            if n == 0 or narrow():
                axis.set_ylabel(f"share of\n{NAMES[kind]}", fontsize=small(8))
    figure.legend(handles=kind_handles(table), loc="outside lower center", ncols=3 if narrow() else 7, frameon=False)
    return figure
