"""From tables to figure files: calls an experiment's plot and writes PNG and PDF atomically."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from advlab.plotting.style import style
from advlab.store.atomic import write_atomic
from advlab.store.run_directory import RunDirectory
from advlab.store.tables import Frame

SUFFIXES = ("png", "pdf")


def draw_run(run: RunDirectory, experiment: Any, table: Frame, width: str = "page") -> list[Path]:
    """Draw the figure of one run into its directory.

    Args:
        run: whose table it is.
        experiment: draws it.
        table: with a `run` column.
        width: as of `draw`.

    Returns:
        the files.
    """
    return draw(experiment, table, [run.figure_path(experiment.name, suffix) for suffix in SUFFIXES], width)


def draw(experiment: Any, table: Frame, paths: Sequence[Path], width: str = "page") -> list[Path]:
    """Draw a table and write the figure, the same bytes whenever it is drawn.

    Args:
        experiment: its `plot` draws the table.
        table: with a `run` column.
        paths: of the files, whose suffixes say their formats.
        width: `page`, both columns of a two-column paper, or `column`, one of them.

    Returns:
        the files.
    """
    with style(width), mpl.rc_context({"svg.hashsalt": "advlab"}):
        figure: Figure = experiment.plot(table)
        for path in paths:
            buffer = io.BytesIO()
            suffix = path.suffix[1:]
            metadata = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Producer": None, "Creator": None}}
            figure.savefig(buffer, format=suffix, metadata=metadata.get(suffix))
            figure.set_layout_engine("none")  # what the first file has found stays: all files are laid out alike
            write_atomic(path, buffer.getvalue())
    return list(paths)
