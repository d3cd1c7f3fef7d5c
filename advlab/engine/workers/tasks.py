"""What workers are asked for: to prepare a run, and to carry out one of its units."""

from __future__ import annotations

import logging
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed.protocol import pickle

from advlab import collection
from advlab.config.settings import every_key, resolve
from advlab.engine.preparation import prepare
from advlab.engine.units import forget_all_prepared, forget_others, work
from advlab.engine.workers.handover import Handover, taken_over
from advlab.errors import AdvlabError, ResultError, one_line
from advlab.plugins.loading import load_plugins

LOG, PROGRESS = "advlab-log", "advlab-progress"  # topics of the events that workers send to the runner
SECONDS_BETWEEN_EVENTS = 0.2

_taken: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}  # digest of a handover -> configuration and plan


@dataclass(frozen=True)
class Outcome:
    """How a task has ended, without an exception: Dask would try to make it again, and not every one can travel.

    Attributes:
        worker: who has carried it out.
        result: of the task, pickled: what cannot be is a defect of this task; None where it failed.
        error: name of the class of an `AdvlabError`; empty for a defect.
        text: what the error says; empty where there is none.
        exit_code: of the error.
        trace: the traceback of a defect.
        seconds: that the task has taken.
    """

    worker: str
    result: bytes | None = None
    error: str = ""
    text: str = ""
    exit_code: int = 1
    trace: str = ""
    seconds: float = 0.0


def caught(task: Callable[[], Any]) -> Outcome:
    """Carry out a task, and say how it ended."""
    name, started = worker_name(), time.perf_counter()
    try:
        with forwarded_log():
            return Outcome(name, pickle.dumps(task()), seconds=time.perf_counter() - started)
    except AdvlabError as error:
        return Outcome(name, error=type(error).__name__, text=str(error), exit_code=error.exit_code)
    except BaseException as error:  # code of a run may raise what ends programs: its worker goes on
        return Outcome(name, text=f"{type(error).__name__}: {one_line(error)}", trace=traceback.format_exc())


def prepare_task(handover: Handover) -> Outcome:
    """Prepare a run, as the runner would (`advlab.engine.preparation.prepare`); a new one has no plan yet.

    What to prepare is read from the cache: a worker that sees another cache is found before it has trained a network.
    """

    def task() -> Any:
        nodes, plan = taken_over(handover)
        load_plugins()
        forget_all_prepared()
        other = Path(handover.also_read) if handover.also_read else None
        return prepare(resolve(nodes, every_key(nodes)), plan or None, forwarded_progress(), other)

    return caught(task)


def load_task() -> None:
    """Import what units on a device need, which takes seconds."""
    with collection.paused():
        import advlab.engine.torch_setup  # noqa: F401  # loading it is all that is wanted


def unit_task(handover: Handover, unit: str) -> Outcome:
    """Carry out a unit, `cell:ID` or `stage:ID` (`advlab.engine.units.work`)."""

    def task() -> Any:
        if handover.digest not in _taken:
            _taken.clear()  # of the run before, in a sweep
            _taken[handover.digest] = taken_over(handover)
            forget_others(_taken[handover.digest][1])
        nodes, plan = _taken[handover.digest]
        plan = plan_for_here(plan, nodes["run"]["device"], mixed=handover.mixed)
        other = Path(handover.also_read) if handover.also_read else None
        return work(nodes, plan, unit, for_others=True, also_read=other, report_progress=lambda *_: None)

    return caught(task)


def plan_for_here(plan: dict[str, Any], wanted: str, *, mixed: bool) -> dict[str, Any]:
    """A plan as this worker carries it out: on the kind of device that it was made on, or on its own where that is allowed.

    Args:
        plan: of the run.
        wanted: `run.device`.
        mixed: whether another kind of device is allowed.

    Raises:
        ResultError: names both devices, and what allows it.
    """
    if not plan.get("device_name"):
        return plan
    from advlab.engine.device import choose_device  # loads torch
    from advlab.models.fastest_batch import device_name

    try:
        own = device_name(choose_device(plan["device"]))
    except AdvlabError:
        own = "no such device"
    if kind_of(own) == kind_of(plan["device_name"]):
        return plan
    if mixed:
        return {**plan, "device": wanted}
    raise ResultError(
        f"the worker {worker_name()} has {own}, where this run's plan was made on {plan['device_name']}: other devices give "
        "other bits. To let it join type cluster.mixed=true"
    )


def kind_of(device: str) -> str:
    """A device in words, without the threads of a CPU, which the plan says apart.

    >>> kind_of("cpu x86_64  2 threads")
    'cpu x86_64'
    """
    return re.sub(r" *\d+ threads\Z", "", device)


def worker_name() -> str:
    """What Dask calls this worker, with its machine; `runner` outside of one."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:
        return "runner"
    return f"{worker.name} on {worker.address.split('://')[-1].rpartition(':')[0]}"


def send(topic: str, message: dict[str, Any]) -> None:
    """Tell the runner something, if this is a worker."""
    from distributed import get_worker

    try:
        worker = get_worker()
    except ValueError:
        return
    worker.loop.add_callback(worker.log_event, topic, message)


def forwarded_progress() -> Callable[[str, int, int], None]:
    """What tells the runner how far a task has come, some times a second."""
    last: list[Any] = [0.0, ""]

    def report(title: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done >= total or title != last[1] or now - last[0] >= SECONDS_BETWEEN_EVENTS:
            last[:] = [now, title]
            send(PROGRESS, {"title": title, "done": int(done), "total": int(total)})

    return report


class _Forward(logging.Handler):
    """Sends what is logged to the runner."""

    def emit(self, record: logging.LogRecord) -> None:
        send(LOG, {"level": record.levelno, "text": record.getMessage()})


_forwarding = threading.Lock()


@contextmanager
def forwarded_log() -> Iterator[None]:
    """While the block runs, what is logged in this worker is sent to the runner, which writes it."""
    logger, handler = logging.getLogger("advlab"), _Forward(logging.INFO)
    with _forwarding:
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
