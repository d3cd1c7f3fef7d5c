"""Runs whose workers are jobs of a real Slurm, where there is one: cancelled, requeued, refused, and a runner that is one."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.shared_runs import Shared, shared_table

LINE = ("cluster=slurm", "cluster.workers=2", "cluster.memory=1GB")


def slurm(*words: str) -> str:
    """What a command of Slurm says."""
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout


def there_is_slurm() -> bool:
    """Whether a node takes jobs."""
    if shutil.which("sinfo") is None:
        return False
    try:
        return any(state in slurm("sinfo", "-h", "-o", "%T") for state in ("idle", "mixed", "allocated"))
    except (OSError, subprocess.SubprocessError):
        return False


pytestmark = [
    pytest.mark.skipif(not there_is_slurm(), reason="no Slurm takes jobs here"),
    pytest.mark.skipif("PYTEST_XDIST_WORKER" in os.environ, reason="jobs of several tests at once: make test-slurm"),
]


def workers_in(state: str = "RUNNING") -> list[str]:
    """The jobs of workers in a state."""
    return slurm("squeue", "-h", "-n", "advlab", "-t", state, "-o", "%A").split()


def test_jobs_share_a_run_and_leave_no_keys(shared: Shared) -> None:
    process = shared.start("experiment=shared", *LINE, "experiment.seconds=0.3", "experiment.count=10")
    keys = shared.folder / "outputs/.workers"
    shared.until(lambda: any(keys.glob("keys-*/key.pem")))
    (key,) = keys.glob("keys-*/key.pem")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    ended = shared.ended(process)
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    assert shared.table() == shared_table(10)
    assert shared.manifest()["workers"]["cluster"] == "slurm"
    assert not list(keys.glob("keys-*"))
    assert workers_in() == []


def test_a_cancelled_job_costs_what_it_had_in_work(shared: Shared) -> None:
    release = shared.hold("n-1")
    process = shared.start("experiment=shared", *LINE, "experiment.count=8")
    shared.until(lambda: "n-1" in (shared.folder / "log").read_text() if (shared.folder / "log").exists() else False)
    shared.until(lambda: len(workers_in()) == 2)
    for job in workers_in()[:1]:
        slurm("scancel", job)
    shared.until(lambda: "is lost; what it had in work is done again" in (shared.folder / "err1").read_text())
    release()
    ended = shared.ended(process)
    assert ended.code == 0, ended.err
    assert shared.table() == shared_table(8)
    assert shared.manifest()["workers"]["lost"] >= 1


def test_a_requeued_job_comes_back(shared: Shared) -> None:
    release = shared.hold("n-1")
    process = shared.start("experiment=shared", *LINE, "experiment.count=8")
    shared.until(lambda: len(workers_in()) == 2 and (shared.folder / "log").exists())
    for job in workers_in():  # as a preemption does
        slurm("scontrol", "requeue", job)
        shared.until(partial(started_now, job))
    shared.until(lambda: "is lost" in (shared.folder / "err1").read_text())
    release()
    ended = shared.ended(process)
    assert ended.code == 0, ended.err
    assert shared.table() == shared_table(8)
    assert shared.manifest()["workers"]["joined"] >= 3


def test_a_job_that_is_refused_is_told_at_once(shared: Shared) -> None:
    ended = shared.measure(*LINE, "cluster.partition=nowhere")
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith("advlab: a job was refused: ")
    assert "invalid partition" in ended.err.lower()


def test_no_worker_that_ever_comes_ends_the_run(shared: Shared) -> None:
    """The node has too few cores for such a job now, and never gets more while the first holds one."""
    blocker = slurm("sbatch", "--parsable", "-c", "2", "-o", "/dev/null", "--wrap", "sleep 60").strip()
    try:
        shared.until(lambda: blocker in slurm("squeue", "-h", "-t", "RUNNING", "-o", "%A"))
        ended = shared.measure(*LINE, "cluster.patience=4")
    finally:
        slurm("scancel", blocker)
    assert ended.code == 2
    assert "no worker has come for 4 s" in ended.err
    assert workers_in("PENDING") == []


def test_a_requeued_runner_goes_on_in_its_own_version(shared: Shared, tmp_path: Path) -> None:
    """The runner is a job itself; its workers are processes beside it."""
    release = shared.hold("n-3")
    words = [sys.executable, "-m", "advlab", "--plugin", str(shared.plugin), "experiment=shared", "run.workers=1"]
    script = tmp_path / "runner.sh"
    exported = "\n".join(f"export {name}='{shared.environment[name]}'" for name in ("SHARED_FOLDER", "ADVLAB_CACHE"))
    script.write_text(
        f"#!/bin/sh\n#SBATCH --requeue --open-mode=append\ncd {tmp_path}\n{exported}\nexec {' '.join(words)}\n"
    )
    job = slurm("sbatch", "--parsable", "-J", "runner", "-o", str(tmp_path / "job.txt"), str(script)).strip()
    try:
        cells = shared.run / "cells"
        shared.until(lambda: len(list(cells.glob("*.csv"))) >= 2 and len(shared.pids()) >= 5)
        slurm("scontrol", "requeue", job)
        shared.until(lambda: started_now(job))
        release()
        shared.until(lambda: (shared.run / "manifest.json").exists() and shared.manifest()["status"] == "complete")
    finally:
        subprocess.run(["scancel", job], check=False)
    assert shared.table() == shared_table()
    assert [path.name for path in shared.run.parent.iterdir()] == ["v001"]


def started_now(job: str) -> bool:
    """Whether a requeued job runs again, which Slurm would let wait for two minutes."""
    subprocess.run(["scontrol", "update", f"jobid={job}", "StartTime=now"], check=False, capture_output=True)
    time.sleep(0.5)
    return "Restarts=1" in (said := slurm("scontrol", "show", "job", job)) and "JobState=RUNNING" in said
