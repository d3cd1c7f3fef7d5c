"""Workers that are jobs of a batch system, by way of dask-jobqueue."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from advlab.cluster import JobQueue
from advlab.config.run_options import RunParams
from advlab.engine.workers.environment import LOOPBACK, PRELOAD, dashboard, worker_environment
from advlab.engine.workers.keys import key_folder, security_in
from advlab.engine.workers.leftovers import remove_old
from advlab.errors import ConfigError, MissingPackageError

log = logging.getLogger(__name__)


@contextlib.contextmanager
def submitted(cluster: JobQueue, run: RunParams) -> Iterator[tuple[Any, Path]]:
    """Jobs of a batch system, and the folder of what they say.

    Raises:
        ConfigError: its command is missing, or refuses a job.
    """
    with key_folder(run.path("output_root")) as keys:
        remove_old(log_folder(keys))
        jobs = job_queue(cluster, run, keys)
        with ended(jobs):
            try:
                for _ in range(cluster.workers):
                    jobs.worker_spec.update(jobs.new_worker_spec())
                jobs.sync(jobs._correct_state)  # `scale` would submit them too, and tell nobody of one that is refused
            except RuntimeError as error:
                name = type(cluster).__name__.lower()
                raise ConfigError(f"a job was refused: {refusal(error)}: see `advlab describe {name}`") from error
            log.info("%d jobs were submitted", cluster.workers)
            yield jobs, log_folder(keys)


@contextlib.contextmanager
def ended(jobs: Any) -> Iterator[None]:
    """Cancel all jobs at the end; dask-jobqueue asserts that every one had begun, which one that was refused has not."""
    try:
        yield
    finally:
        with contextlib.suppress(AssertionError):
            jobs.close()


def job_queue(cluster: JobQueue, run: RunParams, keys: Path) -> Any:
    """dask-jobqueue's cluster, of which no job has been submitted yet.

    Args:
        cluster: the batch system.
        run: how the run is carried out.
        keys: a folder that only the user can read, which all nodes see.

    Raises:
        MissingPackageError: dask-jobqueue is missing.
        ConfigError: the batch system's command is.
    """
    try:
        import dask_jobqueue
    except ImportError as error:
        raise MissingPackageError('dask-jobqueue is missing: type pip install "advlab[cluster]"') from error
    kind = getattr(dask_jobqueue, cluster.class_name)
    command = kind.job_cls.submit_command.split()[0]
    if shutil.which(command) is None:
        raise ConfigError(
            f"there is no command {command} on this machine: start advlab where jobs are submitted from, or type cluster=local"
        )
    options = dict(cluster.options())
    if cluster.class_name == "SLURMCluster":
        options["job_cpu"] = cluster.cores
    return kind(
        cores=1, processes=1, memory=cluster.memory, walltime=cluster.walltime, interface=cluster.interface or None,
        security=security_in(keys), protocol="tls://",
        scheduler_options=dashboard(cluster), log_directory=str(log_folder(keys)), job_name="advlab",
        job_script_prologue=prologue(cluster, run), death_timeout=120, local_directory=None, silence_logs=logging.CRITICAL,
        worker_extra_args=["--preload", PRELOAD, "--no-dashboard", "--dashboard-address", LOOPBACK, "--memory-limit", "0"],
        **options,
    )  # fmt: skip


def log_folder(keys: Path) -> Path:
    """Where jobs write what they say, which is kept after the run, beside the folder of its keys."""
    return keys.parent / "jobs"


def prologue(cluster: JobQueue, run: RunParams) -> list[str]:
    """Lines of a job's script before the worker starts: the folder, and the environment; every value is quoted."""
    environment = worker_environment(cluster, run)
    exported = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    spawn = shlex.quote(repr(environment))
    return [
        f"cd {shlex.quote(os.getcwd())}", *exported, f"export DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON={spawn}",
        "export DASK_DISTRIBUTED__WORKER__HTTP__ROUTES=[]",
    ]  # fmt: skip


def refusal(error: BaseException) -> str:
    """What a batch system has said of a job that it did not take, on one line."""
    text = str(error).partition("stderr:")[2] or str(error)
    return " ".join(text.replace("\\n", " ").split())[:300]
