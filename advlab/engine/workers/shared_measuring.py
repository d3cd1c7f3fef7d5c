"""The loop over the units of a run that many workers share: units are handed out, what comes back is written as it comes."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from functools import partial
from typing import Any

import distributed
from distributed.protocol import pickle

from advlab import errors
from advlab.config.settings import Settings
from advlab.engine.interrupts import Interrupts
from advlab.engine.measuring import Measuring
from advlab.engine.preparation import Preparation
from advlab.engine.provenance import peak_memory
from advlab.engine.units import CELL
from advlab.engine.workers.crew import Crew
from advlab.engine.workers.handover import Handover
from advlab.engine.workers.start import Workers
from advlab.engine.workers.status import Status
from advlab.engine.workers.tasks import Outcome, unit_task
from advlab.engine.workers.unit_queue import UnitQueue
from advlab.errors import AdvlabError, MeasurementError, one_line
from advlab.progress import Progress
from advlab.store import atomic
from advlab.store.run_directory import RunDirectory

log = logging.getLogger(__name__)

UNITS_A_WORKER = 2  # handed out at once: one is carried out, the next waits beside it
SECONDS_BETWEEN_LOOKS = 1.0  # at who is there, and at whether there is anybody


class UnitFailed(RuntimeError):
    """The code of a unit raised on its worker: a defect, whose traceback is shown."""


class WorkersEnded(MeasurementError):
    """A unit was with several workers that ended, one after the other; it may have waited there beside the cause."""

    def __init__(self, units: Sequence[str], deaths: int) -> None:
        self.units = tuple(units)
        super().__init__(
            f"{' or '.join(self.units)} has ended {deaths} workers one after the other, as what runs out of memory does: give "
            "each worker more (fewer of them, or cluster.memory), or type a smaller run.batch_size; if a queue has preempted them, "
            "advlab resume goes on"
        )


class WorkersTraceback(Exception):
    """The traceback of a worker, shown as the cause of a `UnitFailed`."""


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
        self._handover, self._crew = handover, Crew(workers)
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
                try:
                    future = self._back.get(timeout=SECONDS_BETWEEN_LOOKS / 2)
                except queue.Empty:
                    continue
                try:
                    self._take_back(future, units, rows_of, left)
                except Exception as error:
                    if not failures and self._in_work:
                        log.error("%s; the %d units under way are waited for", one_line(error), len(self._in_work))
                    failures.append(error)
                made = self._made / (time.monotonic() - self._begun)
                note = f"{self._crew.note()}, {made:.3g} cells/s"
                progress.update(len(rows_of), note=note, seconds_left=partial(self._left, left))
        finally:
            self.facts["workers"] = {**self._crew.facts(), "runner_memory_bytes": peak_memory()}
            self._client.cancel(list(self._in_work), force=True)
            status.close()
        if failures:
            raise self._cause(failures)

    def _hand_out(self, units: UnitQueue) -> None:
        """Hand out units until each worker has enough."""
        while len(self._in_work) < UNITS_A_WORKER * self._crew.size:
            unit = units.take()
            if unit is None:
                return
            future = self._client.submit(unit_task, self._handover, unit, pure=False, retries=0)
            self._in_work[future] = unit
            future.add_done_callback(self._back.put)

    def _take_back(
        self, future: distributed.Future[Outcome], units: UnitQueue, rows_of: dict[str, list[Any]], left: set[str]
    ) -> None:
        unit = self._in_work.pop(future)
        kind, _, unit_id = unit.partition(":")
        try:
            result, seconds = result_of(future, f"the {kind} {unit_id}", self._crew)
        finally:
            future.release()
        self.add(kind, result, seconds)
        if kind == CELL:
            rows_of[unit_id] = self.keep(unit_id, result)
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


def result_of(future: distributed.Future[Outcome], what: str, crew: Crew) -> tuple[Any, float]:
    """What a task gave that has ended, and the seconds that it took.

    Args:
        future: of the task.
        what: was asked for, in words.
        crew: who was asked.

    Raises:
        MeasurementError: it has ended several workers, or the scheduler is gone.
        AdvlabError: it was refused, as it would have been in this process.
        UnitFailed: its code raised.
    """
    try:
        outcome: Outcome = future.result()
    except distributed.KilledWorker as error:
        raise WorkersEnded([what], crew.deaths_allowed) from error
    except CancelledError as error:  # nobody here cancels what is waited for
        raise MeasurementError(
            f"{what} was lost with the connection to the scheduler, what was measured is kept: start the scheduler again, and "
            "go on with `advlab resume`"
        ) from error
    if outcome.error:
        raise error_of(outcome, f"{what} on worker {outcome.worker}")
    if outcome.trace:
        raise UnitFailed(f"{what} failed on worker {outcome.worker}: {outcome.text}") from WorkersTraceback(
            outcome.trace
        )
    return pickle.loads(outcome.result), outcome.seconds


def error_of(outcome: Outcome, who: str) -> AdvlabError:
    """The error that a worker has met, as this process would have raised it, with the unit in front."""
    known: Mapping[str, Any] = {**vars(errors), "StorageError": atomic.StorageError}
    kind = known.get(outcome.error, AdvlabError)
    error: AdvlabError = kind(f"{who}: {outcome.text}") if issubclass(kind, AdvlabError) else AdvlabError(outcome.text)
    error.exit_code = outcome.exit_code
    return error
