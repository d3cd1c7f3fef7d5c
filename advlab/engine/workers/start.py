"""Starts the scheduler and the workers of a run, behind certificates made for it, and ends them.

The scheduler lives in a thread of this process. Dask unpickles what it receives, so that whoever may connect may run code:
every connection is encrypted and both sides show a certificate of this run (or those that are typed, of `cluster=address`).
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dask
import distributed

from advlab.cluster import Address, Cluster, JobQueue, Local
from advlab.config.run_options import RunParams
from advlab.engine.workers.crew import DEATHS, Crew
from advlab.engine.workers.environment import pages, worker_environment
from advlab.engine.workers.job_queue import submitted
from advlab.engine.workers.joined import connected
from advlab.engine.workers.local_processes import local_processes

log = logging.getLogger(__name__)

SECONDS_OF_SILENCE = 120  # after which a worker, as of a machine that hangs, is lost and its units are given to others
SECONDS_TO_RETURN = 600  # that a job which was requeued has, before another is submitted in its place


class Workers:
    """The workers of one run, or of the runs of a sweep.

    Attributes:
        cluster: as it was configured.
        client: Dask's, connected.
        crew: who is there for the run that is under way; another one for each run of a sweep.
    """

    def __init__(
        self, cluster: Cluster, client: distributed.Client, jobs: Any = None, logs: Path | None = None
    ) -> None:
        self.cluster, self.client, self._jobs, self._logs = cluster, client, jobs, logs
        self.crew = Crew(self)

    def alive(self) -> dict[str, str]:
        """Address -> name of the workers that are there."""
        workers: Mapping[str, Any] = self.client.scheduler_info(n_workers=-1)["workers"]
        return {address: str(facts["name"]) for address, facts in workers.items()}

    def where_to_look(self) -> str:
        """What tells why no worker comes, as the begin of a list of remedies; empty for processes of this machine."""
        if self._jobs is not None:
            return f"look at the jobs in the queue (squeue, qstat, bjobs) and at what they said ({self._logs}), "
        return "ask whoever started the scheduler for workers, " if isinstance(self.cluster, Address) else ""

    def replace_lost(self) -> None:
        """Submit a job in the place of each that is over; a process of this machine is started anew by Dask itself."""
        if self._jobs is not None:
            self._jobs.scale(self.cluster.wanted)


@contextlib.contextmanager
def started(cluster: Cluster, run: RunParams) -> Iterator[Workers]:
    """The workers of a configuration, while the block runs.

    Args:
        cluster: who carries the run out.
        run: how.

    Raises:
        ConfigError: the batch system's command is missing, refuses the job, or there are fewer GPUs than workers.
    """
    settings = {
        "distributed.nanny.pre-spawn-environ": worker_environment(cluster, run),
        "distributed.scheduler.allowed-failures": DEATHS,
        "distributed.scheduler.worker-ttl": f"{SECONDS_OF_SILENCE}s",
        "distributed.deploy.lost-worker-timeout": f"{SECONDS_TO_RETURN}s",
        "distributed.worker.memory.target": False, "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False, "distributed.worker.memory.terminate": False,
        **pages(cluster), "distributed.logging": {"distributed": "critical", "distributed.client": "critical"},
    }  # fmt: skip
    quiet()
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        stack.enter_context(same_environment())
        if isinstance(cluster, Address):
            yield Workers(cluster, stack.enter_context(connected(cluster)))
        elif isinstance(cluster, JobQueue):
            jobs, logs = stack.enter_context(submitted(cluster, run))
            client = stack.enter_context(distributed.Client(jobs, set_as_default=False))
            yield Workers(cluster, client, jobs, logs)
        else:
            assert isinstance(cluster, Local)
            processes = stack.enter_context(local_processes(cluster, run))
            yield Workers(cluster, stack.enter_context(distributed.Client(processes, set_as_default=False)))


def quiet() -> None:
    """Let Dask say nothing by itself: what matters of lost workers is said by the runner."""
    for name in (
        "distributed",
        "distributed.nanny",
        "distributed.scheduler",
        "distributed.worker",
        "distributed.client",
    ):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextlib.contextmanager
def same_environment() -> Iterator[None]:
    """Leave this process's environment as it was: Dask sets what its workers inherit in it."""
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
