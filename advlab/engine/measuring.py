"""The loop over the units: what is on disk is read, the stages and cells that are missing are made and written one by one."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from advlab.engine.interrupts import Interrupts
from advlab.engine.plan import check_versions
from advlab.engine.stages import keep_stage, kept_stage
from advlab.engine.tally import Tally
from advlab.engine.units import CELL, STAGE, UnitResult, work
from advlab.errors import AdvlabError, MeasurementError, ResultError
from advlab.lab.cells import Cell
from advlab.lab.run_context import RunContext
from advlab.progress import Progress
from advlab.store.artifacts import Arrays
from advlab.store.run_directory import RunDirectory

log = logging.getLogger(__name__)


class Measuring:
    """Makes the missing stages and cells of one run.

    Args:
        directory: of the run.
        ctx: its context.
        plan: as it is on disk.
        interrupts: holds signals back while a file is written.

    Attributes:
        tally: what setup and units have computed.
    """

    def __init__(
        self, directory: RunDirectory, ctx: RunContext, plan: Mapping[str, Any], interrupts: Interrupts
    ) -> None:
        self.directory, self.ctx, self.plan, self.interrupts = directory, ctx, plan, interrupts
        self.tally = Tally.of(ctx)
        self._ready: set[str] = set()  # stages that are in the cache
        self._seconds: dict[str, list[float]] = {CELL: [], STAGE: []}  # of the units made in this process

    def rows(self, cells: list[Cell]) -> list[Any]:
        """The rows of all cells, in their order; what is measured is on disk before the next unit begins."""
        experiment = self.ctx.settings.experiment
        rows_of = finished_cells(self.directory, cells, experiment.Row)
        missing = [cell for cell in cells if cell.id not in rows_of]
        if rows_of:
            log.info("%d of %d cells are measured already", len(rows_of), len(cells))
        self.ctx.facts["cells_resumed"] = len(rows_of)
        if missing:
            check_versions(self.plan, self.ctx.settings)
        keeper: dict[str, str] = {}  # name of a kept file -> the cell that was measured here and keeps it
        with Progress(experiment.name, len(cells), len(rows_of)) as progress:
            for number, cell in enumerate(missing, start=1):
                for stage_id in cell.stages:
                    self.make_stage(stage_id)
                result = self._unit(CELL, cell.id)
                for name in result.files:
                    if keeper.setdefault(name, cell.id) != cell.id:
                        raise ValueError(f"the cells {keeper[name]} and {cell.id} both keep a file {name}")
                with self.interrupts.shield():
                    self.directory.write_cell(cell.id, result.rows, experiment.Row, result.files)
                rows_of[cell.id] = result.rows
                progress.update(len(rows_of), seconds_left=partial(self.seconds_left, missing[number:]))
        return [row for cell in cells for row in rows_of[cell.id]]

    def seconds_left(self, cells: Sequence[Cell]) -> float:
        """What some cells will take, as those that were measured here, and the stages that they need, as those made here.

        As many of these stages are taken to be kept from before as of those that were needed up to now.
        """
        made, of_cells = self._seconds[STAGE], self._seconds[CELL]
        unseen = {stage_id for cell in cells for stage_id in cell.stages} - self._ready
        stages = len(unseen) * sum(made) / max(1, len(self._ready))
        return stages + len(cells) * sum(of_cells) / max(1, len(of_cells))

    def make_stage(self, stage_id: str) -> None:
        """Make sure that a stage is in the cache, after those that it needs if it must be made.

        A cache that cannot be written costs other runs the work, and this one nothing: it is a warning.
        """
        if stage_id in self._ready:
            return
        if artifact := kept_stage(self.ctx, stage_id):
            self.ctx.held[stage_id] = artifact  # for the cell that comes now, so that it is read once
            log.info("stage %s: kept from before", stage_id)
        else:
            for needed in self.ctx.stages[stage_id].stages:
                self.make_stage(needed)
            keep_stage(self.ctx, stage_id, partial(self._made, stage_id))
        self._ready.add(stage_id)

    def _made(self, stage_id: str) -> tuple[Arrays, Mapping[str, Any]]:
        result = self._unit(STAGE, stage_id)
        return result.arrays, result.facts

    def _unit(self, kind: str, unit_id: str) -> UnitResult:
        """Carry out one unit, and say which one it was if that fails."""
        started = time.perf_counter()
        try:
            result = work(self.ctx.settings.nodes, self.plan, f"{kind}:{unit_id}")
        except AdvlabError:
            raise
        except Exception:
            log.error("the %s %s failed", kind, unit_id)
            raise
        self._seconds[kind].append(time.perf_counter() - started)
        self.tally += result.tally
        return result


def finished_cells(directory: RunDirectory, cells: list[Cell], row_type: type) -> dict[str, list[Any]]:
    """Id -> rows of the cells that are on disk; one that is damaged, or has lost a file that it keeps, is measured again."""
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
