"""Accuracy on projected images against the number of directions: figure 3 of jetley2018, top row."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from advlab.plotting.style import narrow

from .subspace_lines import LOOK, kind_handles, line, panels


def accuracy_curves(table: pd.DataFrame) -> Figure:
    """A panel for each run: test accuracy as lines with markers, training accuracy dashed; bands: draws of random subspaces.

    Args:
        table: rows of `subspace_accuracy` with a `run` column. The dotted line is the test accuracy on images as they are.
    """
    table = table.assign(accuracy=table["correct"] / table["images"], whole=table["correct_whole"] / table["images"])
    figure, axes_of = panels(table, rows=1, height=1.9, around=0.8)
    for run, (axis,) in axes_of.items():
        own = table[table["run"] == run]
        test = own[own["split"] == "test"]
        axis.axhline(test["whole"].iloc[0], color="#555555", linestyle=":", linewidth=0.9)
        for kind in (kind for kind in LOOK if kind in set(own["subspace"])):
            of_kind = own[own["subspace"] == kind]
            train = of_kind[of_kind["split"] == "train"]
            line(axis, train, "accuracy", kind, marker="", linestyle="--", linewidth=0.8)
            line(axis, of_kind[of_kind["split"] == "test"], "accuracy", kind)
        axis.set_ylim(-0.02, 1.03)
    for axis in {id(a): a for (a,) in list(axes_of.values())[: None if narrow() else 1]}.values():
        axis.set_ylabel("accuracy")
    handles = kind_handles(table)
    handles += [
        Line2D([], [], color="#555555", linestyle="--", linewidth=0.8, label="training images"),
        Line2D([], [], color="#555555", linestyle=":", linewidth=0.9, label="whole test images"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3 if narrow() else 5, frameon=False)
    return figure
