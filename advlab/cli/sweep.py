"""A sweep: every job by Hydra's launcher, here or on a cluster; failed ones do not hide the others."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from advlab.config.components import NoComponent
from advlab.config.compose import Composer
from advlab.config.hydra_main import CommandLine, hydra_main
from advlab.config.settings import Settings
from advlab.engine.interrupts import Interrupts
from advlab.engine.runner import execute
from advlab.engine.with_dask import kept_workers
from advlab.errors import AdvlabError, ConfigError, Interrupted
from advlab.plugins.loading import load_plugins
from advlab.results.compare import compare_runs
from advlab.results.terminal import terminal_width, wrapped, wrapped_command
from advlab.shell import hydra_text, shell_path
from advlab.store.atomic import StorageError, write_atomic
from advlab.store.run_versions import check_place
from advlab.store.sealed import json_bytes

DONE = ("complete", "nothing left to do")


def sweep(line: CommandLine, jobs: Sequence[Settings]) -> int:
    """Run every job by Hydra's launcher, then list how each ended and compare them; gives the exit code, 1 when any failed."""
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    check_place(jobs[0].run.path("output_root"))
    folder = Path(os.path.realpath(jobs[0].run.path("output_root"))) / ".sweeps" / f"{stamp}-{os.getpid()}"
    if "${" in str(folder):  # which Hydra would take for an interpolation, however it is quoted
        raise ConfigError(
            f"{folder}: a sweep takes no folder with ${{ in its name: name another by run.output_root=..."
        )
    make_folder(folder)
    overrides = [
        *line.overrides,
        f"hydra.sweep.dir={hydra_text(str(folder))}",
        "hydra.job.chdir=false",
    ]
    signum = 0
    failure: BaseException | None = None
    try:
        with Interrupts().active(), workers_kept(line, jobs):  # between two jobs a signal must end the workers as well
            hydra_main(CommandLine(line.flags, overrides), run_job)
    except Interrupted as interrupt:
        signum = interrupt.signum
    except KeyboardInterrupt:
        signum = 2
    except Exception as error:  # Hydra raises the first failed job's error after all have run; they are listed below
        failure = error
    if failure is not None and not any(folder.glob("outcome-*.json")):  # no job has begun
        raise failure
    interrupts = Interrupts()
    with interrupts.active():
        outcomes = read_outcomes(folder)
        failed = print_outcomes(outcomes, len(jobs), folder)
        text = compare_finished(outcomes, jobs, folder)
        interrupts.complete()
        interrupts.speak(lambda: print(text, end="\n" if text else "", flush=True))
    if signum and failed:  # one that arrived when the last job was complete has cut short its last lines alone
        return 128 + signum
    if failed:
        print(f"advlab: {failed} of {counted_jobs(len(jobs))} failed", file=sys.stderr)
        return 1
    if failure is not None:
        raise failure
    return 0


def workers_kept(line: CommandLine, jobs: Sequence[Settings]) -> contextlib.AbstractContextManager[None]:
    """What lets the runs of a sweep share their workers; nothing where they have none.

    Raises:
        ConfigError: a launcher carries the runs out in other processes, which cannot share them; or they ask for different ones.
        MissingPackageError: Dask is missing.
    """
    shared = [job for job in jobs if not isinstance(job.cluster, NoComponent)]
    if not shared:
        return contextlib.nullcontext()
    if any((job.cluster, job.run.threads, job.run.device) != (shared[0].cluster, shared[0].run.threads, shared[0].run.device)
           for job in shared):  # fmt: skip
        raise ConfigError(
            "the runs of one sweep share their workers: give cluster, run.threads and run.device one value"
        )
    for text in line.overrides:
        if text.lstrip("+").startswith("hydra/launcher=") and text.rpartition("=")[2] != "basic":
            raise ConfigError(
                f"{text}: its jobs are processes of their own, and cannot share workers: leave it or the cluster out"
            )
    return kept_workers()


def make_folder(folder: Path) -> None:
    """Make the folder of a sweep, before any job starts.

    Raises:
        StorageError: the file system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder} could not be made ({error.strerror or error}): name another place by run.output_root=...", error
        ) from error


def counted_jobs(jobs: int) -> str:
    """`1 job`, `2 jobs`."""
    return f"{jobs} job" if jobs == 1 else f"{jobs} jobs"


def read_outcomes(folder: Path) -> dict[int, dict[str, Any]]:
    """Number of the job -> how it ended, from what each job wrote."""
    outcomes = {}
    for path in sorted(folder.glob("outcome-*.json")):
        outcomes[int(path.stem.rpartition("-")[2])] = json.loads(path.read_text(encoding="utf-8"))
    return outcomes


def print_outcomes(outcomes: dict[int, dict[str, Any]], jobs: int, folder: Path) -> int:
    """List how each job ended, within the terminal's width; gives how many are not done."""
    print(f"\n{counted_jobs(jobs)}:")
    failed, width = 0, terminal_width()
    unknown = {"status": "did not finish", "detail": f"see the launcher's log in {folder}"}
    for number in range(jobs):
        outcome = outcomes.get(number, unknown)
        failed += outcome["status"] not in DONE
        overrides, detail = " ".join(outcome.get("overrides", [])), outcome.get("detail", "")
        line = f"  {number}  {outcome['status']:<18} {overrides}"
        for text in [f"{line}  {detail}"] if len(f"{line}  {detail}") <= width else [line, f"     {detail}"]:
            print(wrapped(text, width, indent=5))
    return failed


def compare_finished(outcomes: dict[int, dict[str, Any]], jobs: Sequence[Settings], folder: Path) -> str:
    """Compare the finished runs of one experiment: sweep.csv and a figure of several; gives their numbers and verdicts as text.

    Runs stand in the order of the jobs: their versions are taken in any order where jobs run at the same time.
    """
    paths = [outcomes[number]["detail"] for number in sorted(outcomes) if outcomes[number]["status"] in DONE]
    if not paths or len({settings.experiment.name for settings in jobs}) > 1:
        return ""
    compared = compare_runs([Path(path) for path in paths])
    table = folder / "sweep.csv"
    write_atomic(table, compared.sweep_table().to_csv(index=False, lineterminator="\n").encode())
    lines = []
    if len(compared.runs) > 1:
        lines = [f"\n{compared.text()}", f"together: {shown_path(compared.plot()[0])}"]
        again, width = list(map(shell_path, paths)), terminal_width() - len("again:    ")
        lines.append("again:    " + wrapped_command("advlab plot", again, width))
    return "\n".join([*lines, f"table:    {shown_path(table)}"])


def shown_path(path: Path) -> Path:
    """A path as it is shortest: from the working folder where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def run_job(config: Any) -> str:
    """One job of a sweep, in this process or on a cluster's node; how it ended is written into the sweep's folder."""
    hydra = HydraConfig.get()
    number = int(hydra.job.num)
    overrides = OmegaConf.to_container(hydra.overrides.task, resolve=False)  # as typed: an escaped ${ stays escaped
    assert isinstance(overrides, list)
    as_typed = [str(text).lstrip("+") for text in overrides]
    launcher = [text for text in hydra.overrides.hydra if text.lstrip("+").startswith("hydra/launcher=")]
    path = Path(hydra.sweep.dir) / f"outcome-{number}.json"

    def write_outcome(status: str, detail: str) -> None:
        content = {"status": status, "detail": detail, "overrides": as_typed}
        write_atomic(path, json_bytes(content))

    try:
        load_plugins()
        with contextlib.suppress(OSError, ValueError):  # a worker's standard error may be closed
            print(f"[{number}] {' '.join(as_typed)}", file=sys.stderr, flush=True)
        with Composer(
            config_dir(hydra)
        ) as composer:  # composed as the command line was checked, lists of choices included
            settings = composer.settings([*as_typed, *launcher])
        outcome = execute(settings)
        write_outcome(outcome.status, str(outcome.path))
        if outcome.signum:  # the job is complete, and the sweep is to end
            raise Interrupted(outcome.signum)
        return str(outcome.path)
    except AdvlabError as error:
        write_outcome("failed", str(error))
        print(f"advlab: {error}", file=sys.stderr)
        raise JobFailed(str(error)) from None
    except Interrupted:
        if not path.exists():
            write_outcome("interrupted", "")
        raise
    except Exception as error:
        write_outcome("failed", f"{type(error).__name__}: {error}")
        traceback.print_exc()
        raise


def config_dir(hydra: Any) -> str | None:
    """The folder of `--config-dir`, from what Hydra knows of the job."""
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    return str(folders[0]) if folders else None


class JobFailed(Exception):
    """A job ended with an error that has been reported."""
