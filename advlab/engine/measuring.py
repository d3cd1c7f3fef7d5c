"""The loop over the cells: those on disk are read, the others are measured and written one by one."""

from __future__ import annotations

import logging
from typing import Any

from advlab.engine.interrupts import Interrupts
from advlab.engine.setup import measurement_mode
from advlab.errors import MeasurementError, ResultError
from advlab.lab.cells import Cell
from advlab.lab.context import Context
from advlab.progress import Progress
from advlab.store.run_directory import RunDirectory

log = logging.getLogger(__name__)


def measure_cells(directory: RunDirectory, ctx: Context, cells: list[Cell], interrupts: Interrupts) -> list[Any]:
    """The rows of all cells, in their order; what is measured is on disk before the next cell begins."""
    experiment = ctx.settings.experiment
    rows_of = finished_cells(directory, cells, experiment.Row)
    if rows_of:
        log.info("%d of %d cells are measured already", len(rows_of), len(cells))
    ctx.facts["cells_resumed"] = len(rows_of)
    with Progress(experiment.name, len(cells), len(rows_of)) as progress, measurement_mode(ctx):
        for cell in cells:
            if cell.id in rows_of:
                continue
            rows = experiment.measure(ctx, cell)
            with interrupts.shield():
                directory.write_cell(cell.id, rows, experiment.Row)
            rows_of[cell.id] = rows
            progress.update(len(rows_of))
    return [row for cell in cells for row in rows_of[cell.id]]


def finished_cells(directory: RunDirectory, cells: list[Cell], row_type: type) -> dict[str, list[Any]]:
    """Id -> rows of the cells that are on disk; one that does not match its digest is measured again."""
    rows_of = {}
    for cell in cells:
        try:
            rows = directory.read_cell(cell.id, row_type)
        except ResultError as error:
            log.warning("%s; measuring it again", error)
            rows = None
        if rows is not None:
            rows_of[cell.id] = rows
    return rows_of


def count_nonfinite(rows: list[Any], max_share: float) -> dict[str, Any]:
    """How many scores are NaN or infinite, in which samples, for the manifest; 0 where rows do not count them.

    Raises:
        MeasurementError: a larger share than `max_share`.
    """
    if not rows or not hasattr(rows[0], "nonfinite"):
        return {"count": 0}
    bad = sum(row.nonfinite for row in rows)
    total = sum(row.trials for row in rows)
    samples = sorted({row.sample for row in rows if row.nonfinite})
    if bad:
        log.warning("%d of %d scores are NaN or infinite, in the samples %s", bad, total, samples[:20])
    if bad > max_share * total:
        raise MeasurementError(
            f"{bad} of {total} scores are NaN or infinite (samples {samples[:20]}), more than run.max_nonfinite="
            f"{max_share:g} allows: check the network, or run.precision"
        )
    return {"count": bad, "of": total, "samples": samples}
