"""A sweep: every job by Hydra's launcher, here or on a cluster; failed ones do not hide the others."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from advlab.cli.sweep_job import run_job
from advlab.cli.sweep_view import view_of_all
from advlab.config.components import NoComponent
from advlab.config.hydra_main import CommandLine, hydra_main
from advlab.config.run_options import RunParams
from advlab.config.settings import Settings
from advlab.engine.interrupts import Interrupts
from advlab.engine.with_dask import kept_workers
from advlab.errors import ConfigError, Interrupted
from advlab.results.compare import compare_runs
from advlab.results.console import JOBS, VERDICTS, show
from advlab.results.differences import Differences
from advlab.results.terminal import terminal_width, wrapped, wrapped_command
from advlab.shell import hydra_text, shell_path
from advlab.store.atomic import StorageError, write_atomic
from advlab.store.run_versions import check_place

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
        with (
            Interrupts().active(),  # between two jobs a signal must end the workers as well
            workers_kept(line, jobs),
            view_of_all(folder, Differences([job.nodes for job in jobs]).labels()),
        ):
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
        text += what_next(failed, len(jobs), jobs[0])
        interrupts.complete()
        interrupts.speak(lambda: show(text, VERDICTS) if text else None)
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
    said = [f"\n{counted_jobs(jobs)}:"]
    failed, width = 0, terminal_width()
    unknown = {"status": "did not finish", "detail": f"see the launcher's log in {folder}"}
    for number in range(jobs):
        outcome = outcomes.get(number, unknown)
        failed += outcome["status"] not in DONE
        overrides, detail = " ".join(outcome.get("overrides", [])), outcome.get("detail", "")
        detail = str(shown_path(Path(detail))) if outcome["status"] in DONE else detail
        line = f"  {number}  {outcome['status']:<18} {overrides}"
        texts = [f"{line}  {detail}"] if len(f"{line}  {detail}") <= width else [line, f"     {detail}"]
        if outcome["status"] not in DONE and (log := folder / f"job-{number}.txt").is_file():
            texts.append(f"     what it said: {shown_path(log)}")
        said += [wrapped(text, width, indent=5) for text in texts]
    show("\n".join(said), JOBS)
    return failed


def compare_finished(outcomes: dict[int, dict[str, Any]], jobs: Sequence[Settings], folder: Path) -> str:
    """Compare the finished runs of one experiment: sweep.csv and a figure of several; gives their numbers and verdicts as text.

    Runs stand in the order of the jobs: their versions are taken in any order where jobs run at the same time.
    """
    paths = [
        str(shown_path(Path(outcomes[number]["detail"])))
        for number in sorted(outcomes)
        if outcomes[number]["status"] in DONE
    ]
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


def what_next(failed: int, count: int, first: Settings) -> str:
    """How to go on with a sweep that is not complete, and what shows the runs of one that is."""
    if failed:
        text = "go on:    type the same line with run.resume=true: what is complete is not measured again"
        return "\n" + wrapped(text, terminal_width(), indent=10)
    root = first.run.path("output_root")
    folder = "" if root == RunParams().path("output_root") else f" {shell_path(root)}"
    return f"\nread on:  advlab claims{folder}, advlab report{folder}" if count > 1 else ""


def shown_path(path: Path) -> Path:
    """A path as it is shortest: from the working folder where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
