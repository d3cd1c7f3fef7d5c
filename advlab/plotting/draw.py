"""From run directories to figure files: reads tables, calls an experiment's plot, writes PNG and PDF atomically."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advlab.store.atomic import write_atomic
from advlab.store.run_directory import RunDirectory

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SUFFIXES = ("png", "pdf")


def draw_run(run: RunDirectory, experiment: Any, table: pd.DataFrame) -> list[Path]:
    """Draw the figure of one run's table, with its `run` column, into the run; gives the files."""
    return draw(experiment, table, [run.figure_path(experiment.name, suffix) for suffix in SUFFIXES])


def draw(experiment: Any, table: pd.DataFrame, paths: Sequence[Path]) -> list[Path]:
    """Call the experiment's plot on a table with a `run` column and write it to `paths`, by their suffixes."""
    import matplotlib as mpl

    from advlab.plotting.style import style

    with style(), mpl.rc_context({"svg.hashsalt": "advlab"}):
        figure: Figure = experiment.plot(table)
        for path in paths:
            buffer = io.BytesIO()
            suffix = path.suffix[1:]
            metadata = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Producer": None, "Creator": None}}
            figure.savefig(buffer, format=suffix, metadata=metadata.get(suffix))
            write_atomic(path, buffer.getvalue())
    return list(paths)
