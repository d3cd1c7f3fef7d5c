"""Thirty kills of workers and runners at random moments: nothing is lost but units in work, and the table has the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter

import pytest

from tests.helpers.shared_runs import Shared, is_alive, shared_table

COUNT = 24


def living_workers(shared: Shared, runner: int) -> list[int]:
    """The processes that have begun units and are there."""
    return [pid for pid in dict.fromkeys(shared.pids()) if pid != runner and is_alive(pid)]


def wait_for(process: subprocess.Popen[str], shared: Shared, more: int) -> None:
    """Until some units more are begun, or the run has ended."""
    goal = len(shared.pids()) + more
    while process.poll() is None and len(shared.pids()) < goal:
        time.sleep(0.002)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 6))])
def test_kills_of_workers_and_of_runners(shared: Shared, seed: int) -> None:
    """Each seed kills at least five times: three workers or more, and runners by SIGKILL and SIGTERM."""
    draw, kills, finished = random.Random(seed), Counter[str](), Counter[str]()
    process, runs = shared.start("experiment=shared", "run.workers=2", f"experiment.count={COUNT}"), 1
    while True:
        for _ in range(2):
            wait_for(process, shared, draw.randrange(1, 4))
            time.sleep(draw.random() * 0.05)
            alive = living_workers(shared, process.pid)
            if process.poll() is None and alive and kills["worker"] < 3 + runs:
                os.kill(draw.choice(alive), draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
                kills["worker"] += 1
        if runs < 3 and process.poll() is None:
            wait_for(process, shared, draw.randrange(1, 4))
            process.send_signal([signal.SIGKILL, signal.SIGTERM][runs % 2])
            kills["runner"] += 1
        ended = shared.ended(process)
        if ended.code == 0:
            break
        assert ended.code in (-signal.SIGKILL, 143), ended.err
        shared.until(lambda: not living_workers(shared, 0))
        finished.update(path.stem for path in (shared.run / "cells").glob("*.csv"))
        words = (
            ("resume", str(shared.run)) if shared.run.exists() else ("experiment=shared", f"experiment.count={COUNT}")
        )
        process, runs = shared.start(*words, f"run.workers={draw.randrange(1, 4)}"), runs + 1
    assert shared.table() == shared_table(COUNT)
    assert sum(kills.values()) >= 5, kills
    begun = Counter(shared.log())
    assert set(begun) == {"begin", "square", *(f"n-{i}" for i in range(COUNT))}
    assert sum(begun.values()) - len(begun) <= 4 * sum(
        kills.values()
    )  # two units a worker were in work or waited beside it
    assert not list((shared.folder / "cache").rglob(".making-*"))


@pytest.mark.long
def test_a_worker_that_dies_while_its_result_travels(shared: Shared) -> None:
    """Killed as soon as its cell is begun and again as soon as it is written."""
    process = shared.start("experiment=shared", "run.workers=2", "experiment.count=12", "experiment.seconds=0.2")
    kills = 0
    while process.poll() is None and kills < 6:
        written = len(list((shared.run / "cells").glob("*.csv"))) if shared.run.exists() else 0
        wait = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < wait:
            if shared.run.exists() and len(list((shared.run / "cells").glob("*.csv"))) > written:
                break
            time.sleep(0.001)
        alive = living_workers(shared, process.pid)
        if process.poll() is None and alive:
            os.kill(alive[kills % len(alive)], signal.SIGKILL)
            kills += 1
    ended = shared.ended(process)
    assert ended.code == 0, ended.err
    assert kills >= 4
    assert shared.table() == shared_table(12)
