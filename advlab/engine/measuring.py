"""The loop over the units: what is on disk is read, the stages and cells that are missing are made and written one by one."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from advlab.config.settings import Settings
from advlab.engine.interrupts import Interrupts
from advlab.engine.plan import check_versions
from advlab.engine.preparation import Preparation
from advlab.engine.units import CELL, STAGE, UnitResult, work
from advlab.errors import AdvlabError, MeasurementError, ResultError
from advlab.progress import Progress
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import canonical

log = logging.getLogger(__name__)


class Measuring:
    """Makes the missing stages and cells of one run, in this process.

    Args:
        directory: of the run.
        settings: of the run.
        prepared: what was prepared for it, in this process.
        interrupts: holds signals back while a file is written.

    Attributes:
        tally: what setup and units have computed.
        facts: about device, data and networks, for the manifest.
        memory: most bytes that a process has taken, `host` and `device`.
    """

    def __init__(
        self, directory: RunDirectory, settings: Settings, prepared: Preparation, interrupts: Interrupts
    ) -> None:
        self.directory, self.settings, self.interrupts = directory, settings, interrupts
        self.plan, self.cells = prepared.plan, prepared.cells
        self.tally, self.facts, self.memory = prepared.tally, dict(prepared.facts), dict(prepared.memory)
        self._ready: set[str] = set()  # stages that are in the cache
        self._seconds: dict[str, list[float]] = {CELL: [], STAGE: []}  # of the units made in this process
        self._keeper: dict[str, str] = {}  # name of a kept file -> the cell that was measured here and keeps it

    def rows(self) -> list[Any]:
        """The rows of all cells, in their order; what is measured is on disk before the next unit begins."""
        experiment, cells = self.settings.experiment, list(self.cells)
        rows_of = finished_cells(self.directory, cells, experiment.Row)
        missing = [cell_id for cell_id in cells if cell_id not in rows_of]
        if rows_of:
            log.info("%d of %d cells are measured already", len(rows_of), len(cells))
        self.facts["cells_resumed"] = len(rows_of)
        if missing:
            check_versions(self.plan, self.settings)
        with Progress(experiment.name, len(cells), len(rows_of)) as progress:
            self.make(missing, rows_of, progress)
        return [row for cell_id in cells for row in rows_of[cell_id]]

    def make(self, missing: list[str], rows_of: dict[str, list[Any]], progress: Progress) -> None:
        """Measure the cells that are missing, each after the stages that it needs, and put their rows into `rows_of`."""
        for number, cell_id in enumerate(missing, start=1):
            for stage_id in self.cells[cell_id]:
                self.make_stage(stage_id)
            rows_of[cell_id] = self.keep(cell_id, self._unit(CELL, cell_id))
            progress.update(len(rows_of), seconds_left=partial(self.seconds_left, missing[number:]))

    def keep(self, cell_id: str, result: UnitResult, *, sync: bool = True) -> list[Any]:
        """Write the rows of a cell, and the files that it keeps; gives the rows.

        Args:
            cell_id: of the cell.
            result: of its unit.
            sync: whether the folder of the cells is flushed as well.

        Raises:
            ValueError: another cell keeps a file of the same name.
        """
        for name in result.files:
            if self._keeper.setdefault(name, cell_id) != cell_id:
                raise ValueError(f"the cells {self._keeper[name]} and {cell_id} both keep a file {name}")
        with self.interrupts.shield():
            self.directory.write_cell(cell_id, result.rows, self.settings.experiment.Row, result.files, sync=sync)
        return result.rows

    def seconds_left(self, cells: Sequence[str]) -> float:
        """What some cells will take, as those that were measured here, and the stages that they need, as those made here.

        As many of these stages are taken to be kept from before as of those that were needed up to now.
        """
        made, of_cells = self._seconds[STAGE], self._seconds[CELL]
        unseen = {stage_id for cell_id in cells for stage_id in self.cells[cell_id]} - self._ready
        stages = len(unseen) * sum(made) / max(1, len(self._ready))
        return stages + len(cells) * sum(of_cells) / max(1, len(of_cells))

    def make_stage(self, stage_id: str) -> None:
        """Make sure that a stage is in the cache, after those that it needs if it must be made."""
        if stage_id in self._ready:
            return
        if lacks := self._unit(STAGE, stage_id).lacks:
            for needed in lacks:
                self.make_stage(needed)
            self._unit(STAGE, stage_id)
        self._ready.add(stage_id)

    def _unit(self, kind: str, unit_id: str) -> UnitResult:
        """Carry out one unit, and say which one it was if that fails."""
        started = time.perf_counter()
        try:
            result = work(self.settings.nodes, self.plan, f"{kind}:{unit_id}")
        except AdvlabError:
            raise
        except Exception:
            log.error("the %s %s failed", kind, unit_id)
            raise
        self.add(kind, result, time.perf_counter() - started)
        return result

    def add(self, kind: str, result: UnitResult, seconds: float) -> None:
        """Count what a unit has taken; one that only looked whether its stage is kept says nothing of what others take."""
        if not (result.was_kept or result.lacks):
            self._seconds[kind].append(seconds)
        self.tally += result.tally
        known = self.facts.get("other_models", [])
        if new := [model for model in result.other_models if model not in known]:
            self.facts["other_models"] = sorted([*known, *new], key=canonical)  # in whatever order they were loaded
        for place, taken in result.memory.items():
            self.memory[place] = max(self.memory.get(place, 0), taken)


def finished_cells(directory: RunDirectory, cells: Sequence[str], row_type: type) -> dict[str, list[Any]]:
    """Id -> rows of the cells that are on disk; one that is damaged, or has lost a file that it keeps, is measured again."""
    rows_of = {}
    for cell_id in cells:
        try:
            rows = directory.read_cell(cell_id, row_type)
        except ResultError as error:
            log.warning("%s; measuring it again", error)
            rows = None
        if rows is not None:
            rows_of[cell_id] = rows
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
