"""What the runner makes of a task that has ended on a worker: its result, or the error that this process raises for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any

import distributed
from distributed.protocol import pickle

from advlab import errors
from advlab.engine.workers.crew import Crew
from advlab.engine.workers.tasks import Outcome
from advlab.errors import AdvlabError, MeasurementError
from advlab.store import atomic


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


def result_of(
    future: distributed.Future[Outcome], what: str, crew: Crew, outcome: Outcome | None = None
) -> tuple[Any, float]:
    """What a task gave that has ended, and the seconds that it took.

    Args:
        future: of the task.
        what: was asked for, in words.
        crew: who was asked.
        outcome: what it gave, if it is here already.

    Raises:
        MeasurementError: it has ended several workers, or the scheduler is gone.
        AdvlabError: it was refused, as it would have been in this process.
        UnitFailed: its code raised.
    """
    try:
        outcome = outcome or future.result()
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
