"""What a worker's environment holds: the allocator's settings, which halve or double the speed of torch, and its threads."""

from __future__ import annotations

import os

import pytest

from advlab.cluster import Local
from advlab.cluster.job_queues import Slurm
from advlab.config.run_options import RunParams
from advlab.engine.workers.environment import ALLOCATOR, THREADS, cores, threads_of, worker_environment
from advlab.engine.workers.start import started


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
