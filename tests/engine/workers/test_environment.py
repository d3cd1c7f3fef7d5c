"""What a worker's environment holds: the allocator's settings, which halve or double the speed of torch, and its threads."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from advlab.cluster import Local
from advlab.cluster.job_queues import Slurm
from advlab.config.run_options import RunParams
from advlab.engine.workers.environment import ALLOCATOR, THREADS, cores, threads_of, worker_environment
from advlab.engine.workers.start import started
from tests.helpers.shared_runs import is_alive


def test_a_worker_starts_with_the_allocators_settings_and_the_runner_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    with started(Local(workers=2), RunParams(device="cpu", threads=3)) as workers:
        for address in workers.alive():
            theirs = workers.client.submit(environment, pure=False, workers=[address]).result()
            assert {name: theirs.get(name) for name in ALLOCATOR} == ALLOCATOR
            assert {theirs[name] for name in THREADS} == {"3"}
    assert dict(os.environ) == before


def environment() -> dict[str, str]:
    """That of the process which calls it."""
    return dict(os.environ)


def test_threads_are_shared_among_the_workers_of_a_machine() -> None:
    assert threads_of(Local(workers=1), RunParams()) == cores()
    assert threads_of(Local(workers=2 * cores()), RunParams()) == 1
    assert threads_of(Slurm(cores=6), RunParams()) == 6
    assert threads_of(Slurm(cores=6), RunParams(threads=2)) == 2


def test_threads_that_the_user_has_set_stay_unless_they_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert worker_environment(Local(workers=2), RunParams())["OMP_NUM_THREADS"] == "5"
    assert worker_environment(Local(workers=2), RunParams(threads=2))["OMP_NUM_THREADS"] == "2"


def test_busy_workers_end_with_the_block_and_none_is_started_in_their_place() -> None:
    with started(Local(workers=2), RunParams(device="cpu")) as workers:
        client: Any = workers.client
        pids = [nanny.pid for nanny in client.cluster.workers.values()]
        futures = [client.submit(time.sleep, 3600, pure=False) for _ in pids]
        while sum(map(len, client.processing().values())) < len(futures):
            time.sleep(0.01)
    assert not any(map(is_alive, pids))
    assert not [line for line in children(os.getpid()) if "spawn_main" in line]


def children(parent: int) -> list[str]:
    """The command lines of the processes that a process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "stat").read_text().rpartition(")")[2].split()[1] == str(parent):
                found.append((folder / "cmdline").read_text().replace("\0", " "))
    return found
