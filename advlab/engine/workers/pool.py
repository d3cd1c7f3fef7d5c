"""The workers of this process, of one run or kept for all runs of a sweep, and what runs ask of them."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from distributed.gc import disable_gc_diagnosis

from advlab.cluster import Cluster
from advlab.config.settings import Settings
from advlab.engine.interrupts import Interrupts
from advlab.engine.preparation import Preparation
from advlab.engine.resumption import cluster_words
from advlab.engine.setup import needs_numpy_alone
from advlab.engine.workers.crew import Crew
from advlab.engine.workers.handover import handed_over
from advlab.engine.workers.listening import forget_what_was_said, listening
from advlab.engine.workers.outcomes import result_of
from advlab.engine.workers.shared_measuring import SECONDS_BETWEEN_LOOKS, SharedMeasuring
from advlab.engine.workers.start import Workers, started
from advlab.engine.workers.tasks import load_task, prepare_task
from advlab.errors import ConfigError
from advlab.store.run_directory import RunDirectory

log = logging.getLogger(__name__)


class _Kept:
    """Workers that outlast a run: those of the sweep that is under way in this process."""

    stack: contextlib.ExitStack | None = None
    of: tuple[Cluster, tuple[Any, ...]] | None = None
    workers: Workers


@contextlib.contextmanager
def kept_workers() -> Iterator[None]:
    """While the block runs, the first run that asks for workers starts them, and the others have them, too."""
    with contextlib.ExitStack() as stack:
        _Kept.stack = stack
        try:
            yield
        finally:
            _Kept.stack = _Kept.of = None


@contextlib.contextmanager
def workers_of(settings: Settings) -> Iterator[Workers]:
    """The workers of a run.

    Raises:
        ConfigError: see `started`; or the runs of a sweep ask for different ones.
    """
    run = settings.run
    wanted = settings.cluster, (run.threads, run.device)
    with contextlib.ExitStack() as own:
        if _Kept.stack is None:
            yield begun(own, settings)
            return
        if _Kept.of not in (None, wanted):
            raise ConfigError(
                "the runs of one sweep share their workers: give cluster, run.threads and run.device one value"
            )
        if _Kept.of is None:
            _Kept.workers, _Kept.of = begun(_Kept.stack, settings), wanted
        yield _Kept.workers


def begun(stack: contextlib.ExitStack, settings: Settings) -> Workers:
    """Workers that end with a stack."""
    log.info("starting workers: %s", " ".join(cluster_words(settings.cluster)))
    workers = stack.enter_context(started(settings.cluster, settings.run))
    disable_gc_diagnosis(
        force=True
    )  # its callback takes part in collections, where Python ignores what a signal raises
    stack.enter_context(listening(workers.client))
    return workers


def prepare_on(
    workers: Workers, settings: Settings, plan: dict[str, Any] | None, also_read: Path | None = None
) -> Preparation:
    """Let a worker prepare a run, which has the device and the memory for it (`advlab.engine.preparation.prepare`).

    The others load torch meanwhile, so that their first unit need not wait for that.

    Raises:
        AdvlabError: as in this process; or no worker has come, or it does not see this process's cache.
    """
    crew = workers.crew = Crew(workers)  # of this run: it also counts who is lost while the run is prepared
    forget_what_was_said()
    cache, mixed = settings.run.path("cache_root"), settings.cluster.mixed
    with handed_over(shared_nodes(settings), plan or {}, cache, also_read, mixed=mixed) as handover:
        future = workers.client.submit(prepare_task, handover, pure=False, retries=0)
        others = 0 if needs_numpy_alone(settings) else crew.size - 1
        loading = [workers.client.submit(load_task, pure=False, retries=0) for _ in range(others)]
        try:
            ended = threading.Event()
            future.add_done_callback(lambda _: ended.set())
            while not ended.wait(SECONDS_BETWEEN_LOOKS):
                crew.look()
            prepared: Preparation = result_of(future, "preparing the run", crew)[0]
        finally:
            future.release()
            for other in loading:
                other.release()
    return replace(prepared, plan={**prepared.plan, "config": settings.nodes})


def shared_nodes(settings: Settings) -> dict[str, Any]:
    """The configuration as workers take it, whose working folder may be another."""
    run = settings.run
    roots = {name: str(run.path(name).absolute()) for name in ("cache_root", "data_root", "output_root")}
    return {**settings.nodes, "run": {**settings.nodes["run"], **roots, "workers": 0, "resume": False}}


@contextlib.contextmanager
def shared_measuring(
    workers: Workers, directory: RunDirectory, settings: Settings, prepared: Preparation, interrupts: Interrupts,
    also_read: Path | None = None,
) -> Iterator[SharedMeasuring]:  # fmt: skip
    """What measures a run on workers, which find its plan in the cache while the block runs."""
    cache, mixed = settings.run.path("cache_root"), settings.cluster.mixed
    with handed_over(shared_nodes(settings), prepared.plan, cache, also_read, mixed=mixed) as handover:
        yield SharedMeasuring(directory, settings, prepared, interrupts, workers, handover)
