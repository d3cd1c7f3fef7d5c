"""Several processes on one run, one cache or one output root, and jobs that a cluster requeues."""

from __future__ import annotations

import signal
from pathlib import Path

import pandas as pd
import pytest

from advlab.engine.provenance import job_id
from advlab.store.run_directory import RunDirectory
from tests.helpers.run_files import FAMILY, RUN, cells, clean, complete, snapshot, version
from tests.helpers.run_workshop import Workshop


def test_a_second_process_on_the_same_run_is_refused(
    workshop: Workshop, killed_run: RunDirectory, table: bytes
) -> None:
    first = workshop.start("resume", str(killed_run.path), TOY_STOP="samples-00007")  # still at it, however fast it is
    first.until(lambda: len(cells(killed_run)) == 7)
    root = killed_run.path.parent.parent.parent
    for second in (workshop.run("resume", str(killed_run.path)), workshop.run(*RUN, "run.resume=true", root=root)):
        assert second.code == 2
        who = f"another process (process {first.pid})" if Path("/proc/locks").exists() else "another process"
        assert second.err.splitlines()[-1] == f"advlab: {killed_run.path} is being worked on by {who}"
        clean(second.err)

    def goes_on() -> bool:
        first.kill(signal.SIGCONT)  # again, for it may only be about to stop
        return first.poll() is not None

    first.until(goes_on)
    complete(first.wait(), killed_run, table)


def test_sixteen_processes_at_once(workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    """With an empty cache: each has a version of its own, and what is shared is made once."""
    cache = tmp_path / "cache"
    processes = [workshop.start(*RUN, root=tmp_path, ADVLAB_CACHE=cache) for _ in range(16)]
    for process in processes:
        ended = process.wait()
        assert ended.code == 0, ended.err
        clean(ended.err)
    runs = RunDirectory.versions(tmp_path / FAMILY)
    assert [run.path.name for run in runs] == [f"v{number:03d}" for number in range(1, 17)]
    assert len({run.table_path.read_bytes() for run in runs}) == 1
    assert all(run.finished() and not run.damaged() for run in runs)
    assert [len([path for path in kind.iterdir() if path.is_dir()]) for kind in sorted(cache.iterdir())] == [1, 1]
    ours, theirs = pd.read_csv(runs[0].table_path), pd.read_csv(table_file(table, tmp_path))
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-5, atol=1e-7)


def table_file(table: bytes, folder: Path) -> Path:
    (folder / "reference.csv").write_bytes(table)
    return folder / "reference.csv"


def test_a_requeued_job_goes_on_with_its_run(workshop: Workshop, table: bytes, tmp_path: Path) -> None:
    started = workshop.start(*RUN, root=tmp_path, TOY_STOP="samples-00003", SLURM_JOB_ID=77)
    started.until(lambda: len(cells(version(tmp_path))) >= 3)
    started.kill(signal.SIGKILL)
    started.wait()
    before = snapshot(version(tmp_path))
    other = workshop.run(*RUN, root=tmp_path, SLURM_JOB_ID=78)
    complete(other, version(tmp_path, 2), table)
    requeued = workshop.run(*RUN, root=tmp_path, SLURM_JOB_ID=77, SLURM_RESTART_COUNT=1)
    complete(requeued, version(tmp_path), table)
    assert {k: v for k, v in snapshot(version(tmp_path)).items() if k in before and k.startswith("cells/")} == {
        k: v for k, v in before.items() if k.startswith("cells/")
    }
    again = workshop.run(*RUN, root=tmp_path, SLURM_JOB_ID=77, SLURM_RESTART_COUNT=2)  # a sweep's earlier, finished run
    assert "nothing left to do" in again.out
    assert version(tmp_path).plan()["job"] == version(tmp_path).manifest()["job"] == "77"
    changed = workshop.run(*RUN, "run.seed=1", root=tmp_path, SLURM_JOB_ID=77)
    assert changed.code == 0
    assert version(tmp_path, 3).finished()


def test_job_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
        monkeypatch.delenv(name, raising=False)
    assert job_id() == ""
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    assert job_id() == "12"
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "9")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert job_id() == "9_3"
