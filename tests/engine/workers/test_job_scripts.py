"""The scripts of jobs, for each batch system whose commands stand in the path, and what each refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("dask_jobqueue")

from advlab.cluster.job_queues import LSF, PBS, SGE, JobQueue, Slurm
from advlab.config.run_options import RunParams
from advlab.engine.workers.environment import ALLOCATOR
from advlab.engine.workers.job_queue import job_queue
from advlab.errors import ArgumentError, ConfigError

SYSTEMS: list[tuple[JobQueue, list[str]]] = [
    (
        Slurm(partition="gpu", account="lab", qos="high", gpus=1, cores=4, memory="8GB", walltime="08:00:00"),
        ["-p gpu", "-A lab", "--qos=high", "--gpus=1", "--cpus-per-task=4", "--mem=8G", "-t 08:00:00", "--requeue"],
    ),
    (PBS(queue="long", cores=4, memory="8GB", gpus=1), ["-q long", "-l select=1:ncpus=4:mem=8gb:ngpus=1", "-l walltime=01:00:00"]),
    (LSF(queue="long", project="p7", cores=4, gpus=1), ["-q long", "-P", "-n 4", '-gpu "num=1"', "-r"]),
    (SGE(queue="long", cores=4, parallel="smp", gpus=1), ["-q long", "-pe smp 4", "-l gpu=1", "-r y"]),
]  # fmt: skip


def script(cluster: JobQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """That of a job, on a machine where the batch system's command is there."""
    commands = tmp_path / "bin"
    commands.mkdir(exist_ok=True)
    for name in ("sbatch", "qsub", "bsub"):
        (commands / name).write_text("#!/bin/sh\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    monkeypatch.setenv("ADVLAB_PLUGINS", "/home/user/my models.py")
    (tmp_path / "keys").mkdir(mode=0o700, exist_ok=True)
    jobs: Any = job_queue(cluster, RunParams(threads=2), tmp_path / "keys")
    try:
        return str(jobs.job_script())
    finally:
        jobs.close()


@pytest.mark.parametrize(("cluster", "lines"), SYSTEMS, ids=lambda value: type(value).__name__)
def test_a_jobs_script_asks_for_what_is_configured(
    cluster: JobQueue, lines: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = script(cluster, tmp_path, monkeypatch)
    directives = [line for line in text.splitlines() if re.match(r"#(SBATCH|PBS|BSUB|\$) ", line)]
    for line in lines:
        assert any(line in directive for directive in directives), (line, directives)
    assert "export ADVLAB_PLUGINS='/home/user/my models.py'" in text
    assert "export OMP_NUM_THREADS=2" in text
    for name, value in ALLOCATOR.items():
        assert f"export {name}={value}" in text
    assert "DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON=" in text
    assert "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES=[]" in text
    assert "--dashboard-address 127.0.0.1:0" in text
    (command,) = [line for line in text.splitlines() if "distributed.cli.dask_worker" in line]
    for word in (
        "--nthreads 1",
        "--nanny",
        "--no-dashboard",
        "--preload advlab.engine.workers.preload",
        "--tls-key",
        "--tls-cert",
    ):
        assert word in command
    assert "BEGIN" not in text  # keys are in files of the user's alone


@pytest.mark.parametrize("kind", [Slurm, PBS, LSF, SGE])
@pytest.mark.parametrize("value", ["a b", "x\nrm -rf ~", "$(id)", "-x", "`id`", ";"])
def test_no_text_ends_a_line_of_a_script(kind: Any, value: str) -> None:
    for name in kind.words:
        with pytest.raises(ArgumentError, match=f"{name} must be one word"):
            kind(**{name: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("memory", "4"), ("memory", "4GB;id"), ("walltime", "1 day"), ("walltime", "10:99"), ("cores", 0), ("gpus", 2)],
)
def test_numbers_of_a_wrong_form_are_refused(field: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=field):
        Slurm(**{field: value})


def test_a_machine_without_the_batch_system_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="there is no command sbatch on this machine"):
        job_queue(Slurm(), RunParams(), tmp_path)
