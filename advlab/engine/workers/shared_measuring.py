"""The loop over the units of a run that many workers share: units are handed out, what comes back is written as it comes."""

from __future__ import annotations

import contextlib
import logging
import queue
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import distributed

from advlab.config.settings import Settings
from advlab.engine.interrupts import Interrupts
from advlab.engine.measuring import Measuring
from advlab.engine.preparation import Preparation
from advlab.engine.provenance import peak_memory
from advlab.engine.units import CELL
from advlab.engine.workers.handover import Handover
from advlab.engine.workers.outcomes import WorkersEnded, result_of
from advlab.engine.workers.start import Workers
from advlab.engine.workers.status import Status
from advlab.engine.workers.tasks import Outcome, unit_task
from advlab.engine.workers.unit_queue import UnitQueue
from advlab.errors import one_line
from advlab.progress import Progress
from advlab.store import atomic
from advlab.store.run_directory import RunDirectory

log = logging.getLogger(__name__)

UNITS_A_WORKER = 2  # handed out at once: one is carried out, the next waits beside it
SECONDS_BETWEEN_LOOKS = 1.0  # at who is there, and at whether there is anybody


class SharedMeasuring(Measuring):
    """Makes the missing stages and cells of one run on workers; this process alone writes.

    Args:
        directory: of the run.
        settings: of the run.
        prepared: what a worker has prepared for it.
        interrupts: holds signals back while a file is written.
        workers: that share the work.
        handover: where they find the plan.
    """

    def __init__(
        self, directory: RunDirectory, settings: Settings, prepared: Preparation, interrupts: Interrupts,
        workers: Workers, handover: Handover,
    ) -> None:  # fmt: skip
        super().__init__(directory, settings, prepared, interrupts)
        self._handover, self._crew = handover, workers.crew
        self._client: distributed.Client = workers.client
        self._back: queue.SimpleQueue[distributed.Future[Outcome]] = queue.SimpleQueue()
        self._begun, self._made = time.monotonic(), 0
        self._in_work: dict[distributed.Future[Outcome], str] = {}

    def make(self, missing: list[str], rows_of: dict[str, list[Any]], progress: Progress) -> None:
        """Measure the cells that are missing, and put their rows into `rows_of`.

        Raises:
            UnitFailed: the code of a unit raised; what was under way is kept.
            MeasurementError: no worker came, or one unit has ended several workers.
            AdvlabError: a unit was refused, as in a run of one process.
        """
        units, left = UnitQueue(missing, self.cells, self._ready), set(missing)
        status = Status(self.directory, total=len(self.cells))
        failures: list[Exception] = []
        looked = 0.0
        try:
            while (left and not failures) or self._in_work:
                if time.monotonic() - looked >= SECONDS_BETWEEN_LOOKS:
                    looked = time.monotonic()
                    self._crew.look()
                    in_work = self._crew.who_works(self._in_work)
                    with self.interrupts.shield():
                        status.write(len(rows_of), in_work, self._crew.names(), self._crew.lost, self._left(left))
                if not failures:
                    self._hand_out(units)
                back = self._come_back()
                for future, outcome in back.items():
                    try:
                        self._take_back(future, outcome, units, rows_of, left)
                    except Exception as error:
                        if not failures and self._in_work:
                            log.error("%s; the %d units under way are waited for", one_line(error), len(self._in_work))
                        failures.append(error)
                if not back:
                    continue
                atomic.sync_folder(self.directory.path / "cells")
                made = self._made / (time.monotonic() - self._begun)
                note = f"{self._crew.note()}, {made:.3g} cells/s"
                progress.update(len(rows_of), note=note, seconds_left=partial(self._left, left))
            with contextlib.suppress(OSError):  # a scheduler that is gone, now that all is here
                self._crew.count()  # one may have been lost since the last look
        finally:
            self.facts["workers"] = {**self._crew.facts(), "runner_memory_bytes": peak_memory()}
            self._client.cancel(list(self._in_work), force=True)
            status.close()
        if failures:
            raise self._cause(failures)

    def _hand_out(self, units: UnitQueue) -> None:
        """Hand out units until each worker has enough."""
        wanted = UNITS_A_WORKER * self._crew.size - len(self._in_work)
        taken = [unit for unit in (units.take() for _ in range(wanted)) if unit is not None]
        if not taken:
            return
        futures = self._client.map(unit_task, [self._handover] * len(taken), taken, pure=False, retries=0)
        for future, unit in zip(futures, taken, strict=True):
            self._in_work[future] = unit
            future.add_done_callback(self._back.put)

    def _come_back(self) -> dict[distributed.Future[Outcome], Outcome | None]:
        """The units that have ended, after a wait for the first of them, with what they gave, asked for at once.

        None for those that gave nothing, or that a worker took away which was lost since: see `result_of`.
        """
        ended: list[distributed.Future[Outcome]] = []
        with contextlib.suppress(queue.Empty):
            ended.append(self._back.get(timeout=SECONDS_BETWEEN_LOOKS / 2))
            while True:
                ended.append(self._back.get_nowait())
        there = [future for future in ended if future.status == "finished"]
        given: list[Outcome] = []
        with contextlib.suppress(Exception):
            given = self._client.gather(there)
        return dict.fromkeys(ended) | dict(zip(there, given, strict=False))

    def _take_back(
        self, future: distributed.Future[Outcome], outcome: Outcome | None, units: UnitQueue,
        rows_of: dict[str, list[Any]], left: set[str],
    ) -> None:  # fmt: skip
        unit = self._in_work.pop(future)
        kind, _, unit_id = unit.partition(":")
        try:
            result, seconds = result_of(future, f"the {kind} {unit_id}", self._crew, outcome)
        finally:
            future.release()
        self.add(kind, result, seconds)
        if kind == CELL:
            rows_of[unit_id] = self.keep(unit_id, result, sync=False)
            self._made += 1
            left.discard(unit_id)
        elif result.lacks:
            units.stage_lacks(unit_id, result.lacks)
        else:
            units.stage_done(unit_id)

    def _cause(self, failures: Sequence[Exception]) -> Exception:
        """The first failure; of units that have ended the same workers all, since one of them was the cause."""
        ended = [error.units for error in failures if isinstance(error, WorkersEnded)]
        if len(ended) < 2 or not isinstance(failures[0], WorkersEnded):
            return failures[0]
        return WorkersEnded([unit for units in ended for unit in units], self._crew.deaths_allowed)

    def _left(self, left: set[str]) -> float:
        return self.seconds_left(sorted(left)) / max(1, self._crew.size)
