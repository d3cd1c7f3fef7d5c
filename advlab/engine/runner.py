"""One run from its settings to its manifest: a directory is chosen, cells are planned and measured, results are written."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advlab.config.components import NoComponent
from advlab.config.run_options import RunParams
from advlab.config.settings import Settings
from advlab.engine.dry_run import dry_run_text
from advlab.engine.interrupts import Interrupts, ends_of_programs_are_defects
from advlab.engine.logs import RunLog
from advlab.engine.manifest import complete_manifest, write_ended_manifest
from advlab.engine.measuring import Measuring, count_nonfinite
from advlab.engine.outputs import Outputs, print_outputs, write_outputs
from advlab.engine.plan import blaming_the_plan, plan_to_resume, write_plan
from advlab.engine.preparation import Preparation, prepare
from advlab.engine.resumption import directory_to_resume, nothing_left_to_do, resume_command
from advlab.engine.setup import build_context
from advlab.engine.tally import Tally
from advlab.engine.units import forget_prepared, plan_is_prepared_now
from advlab.engine.with_dask import with_dask
from advlab.errors import AdvlabError, Interrupted
from advlab.progress import TaskProgress
from advlab.statistics.claims import Claim
from advlab.store.known_folders import remember_folders
from advlab.store.run_directory import RunDirectory
from advlab.store.run_versions import check_place, versions_folder

if TYPE_CHECKING:  # imports Dask, which only runs on workers need
    from advlab.engine.workers.start import Workers

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended: `complete`, `dry`, or `nothing left to do`."""

    status: str
    path: Path | None
    claims: list[Claim]
    signum: int = 0  # of a signal that arrived when all was on disk


def execute(
    settings: Settings, *, directory: RunDirectory | None = None, also_read: Path | None = None, says_results: bool = True
) -> RunOutcome:  # fmt: skip
    """Carry out one run.

    Args:
        settings: the checked configuration.
        directory: an existing run to go on with; otherwise a new version, or with `run.resume` the newest unfinished
            one of the same configuration.
        also_read: a second cache, of which nothing is written (see `ArtifactStore`).
        says_results: whether numbers and verdicts are printed at the end, as on a command line; otherwise Python called.

    Raises:
        AdvlabError: the fault and its remedy; what was measured is kept.
        Interrupted: a signal arrived; what was measured is kept and the command that resumes has been printed.
    """
    run_log, interrupts = RunLog(), Interrupts()
    with interrupts.active(), run_log.active(), ends_of_programs_are_defects():
        if settings.run.dry:
            print(dry_run_text(build_context(settings, None, TaskProgress())))
            return RunOutcome("dry", None, [])
        directory = directory or directory_to_resume(settings)
        if directory is not None and nothing_left_to_do(directory, settings):
            interrupts.complete()
            path = directory.path
            if says_results:
                interrupts.speak(lambda: print(f"{path}: complete, nothing left to do", flush=True))
            return RunOutcome("nothing left to do", path, [], interrupts.after_completion)
        return Runner(settings, run_log, interrupts, also_read, says_results).carry_out(directory)


class Runner:
    """Carries one run through: its methods stand in the order in which they are called."""

    def __init__(
        self, settings: Settings, run_log: RunLog, interrupts: Interrupts, also_read: Path | None = None,
        says_results: bool = True,
    ) -> None:  # fmt: skip
        self.says_results = says_results
        self.settings = settings
        self.also_read = also_read
        self.run_log = run_log
        self.interrupts = interrupts
        self.workers: Workers | None = None
        self.started = time.perf_counter()

    def carry_out(self, existing: RunDirectory | None) -> RunOutcome:
        """Measure what is missing of an existing run, or all of a new one, and write the results."""
        with contextlib.ExitStack() as locks:
            directory, prepared = self._begin(existing, locks)
            locks.callback(forget_prepared, prepared.plan)
            self.run_log.write_to(directory.log_path)
            log.info("%s %s", "going on with" if existing else "writing to", directory.path)
            if directory.manifest_path.is_file():
                for name in directory.damaged():
                    log.warning("%s is missing or damaged, and is made again", directory.path / name)
                directory.reopen()
            try:
                prepared_now = partial(plan_is_prepared_now, prepared.plan)
                with ends_of_programs_are_defects(), blaming_the_plan(self.settings.experiment.name, prepared_now):
                    rows, outputs, tally = self._measure_and_write(directory, prepared)
            except Interrupted as interrupt:
                self._end(directory, "interrupted", signal.Signals(interrupt.signum).name)
                print(self._how_to_go_on(directory), file=sys.stderr)
                raise
            except AdvlabError as error:
                log.debug("the run ended with an error of its input; where it arose:", exc_info=True)
                self._end(directory, "failed", str(error))
                raise
            except Exception as error:
                self._end(directory, "failed", repr(error))
                log.exception("the run failed; what was measured is kept in %s", directory.path)
                raise
            log.info("%d rows in %s", rows, directory.table_path)
            if self.says_results:
                self.interrupts.speak(lambda: print_outputs(outputs, self.settings, tally))
            return RunOutcome("complete", directory.path, outputs.claims, self.interrupts.after_completion)

    def _begin(self, existing: RunDirectory | None, locks: contextlib.ExitStack) -> tuple[RunDirectory, Preparation]:
        """The locked directory, and what was prepared."""
        report_progress = TaskProgress()
        try:
            plan = None
            if existing is not None:
                locks.enter_context(existing.lock())  # before the work that another process may be doing
                with self.interrupts.shield():
                    plan = plan_to_resume(existing, self.settings)
            if existing is None:
                check_place(self.settings.run.path("output_root"))  # before what takes seconds or hours
            prepared = self._prepare(plan, report_progress, locks)
            return existing or self._new_directory(prepared, locks), prepared
        except Interrupted:
            print(self._how_to_go_on(existing), file=sys.stderr)
            raise
        finally:
            report_progress.close()

    def _how_to_go_on(self, directory: RunDirectory | None) -> str:
        """What is said of an interrupted run; one from Python may have objects of its session, which no command line has."""
        if directory is None:
            again = "type the same command again" if self.says_results else "call it again"
            return f"interrupted before the first measurement, no run was begun: {again}"
        command = resume_command(directory, self.settings.cluster)
        again = command if self.says_results else "the same call with resume=True"
        return f"interrupted; go on with: {again}"

    def _prepare(
        self, plan: dict[str, Any] | None, report_progress: TaskProgress, stack: contextlib.ExitStack
    ) -> Preparation:
        """What a run needs, prepared in this process or on the first of its workers, which are there until the run ends."""
        if isinstance(self.settings.cluster, NoComponent):
            return prepare(self.settings, plan, report_progress, self.also_read)
        check_place(self.settings.run.path("cache_root"), "run.cache_root")  # which all workers share
        pool = with_dask()
        self.workers = stack.enter_context(pool.workers_of(self.settings))
        return pool.prepare_on(self.workers, self.settings, plan, self.also_read)

    @contextlib.contextmanager
    def _measuring(self, directory: RunDirectory, prepared: Preparation) -> Iterator[Measuring]:
        """What measures the run: this process, or its workers."""
        if self.workers is None:
            yield Measuring(directory, self.settings, prepared, self.interrupts)
            return
        with with_dask().shared_measuring(
            self.workers, directory, self.settings, prepared, self.interrupts, self.also_read
        ) as measuring:
            yield measuring

    def _new_directory(self, prepared: Preparation, locks: contextlib.ExitStack) -> RunDirectory:
        """The next version, locked, with its configuration and plan."""
        run, own = self.settings.run, RunParams()
        typed = [run.path(name) for name in ("cache_root", "data_root") if getattr(run, name) != getattr(own, name)]
        remember_folders(own.path("cache_root"), typed)  # so that `advlab resume` writes there again
        folder = versions_folder(run.path("output_root"), self.settings.nodes)
        with self.interrupts.shield():
            directory = RunDirectory.create(folder)
            locks.enter_context(directory.lock())
            write_plan(directory, self.settings, prepared.plan)
        return directory

    def _measure_and_write(self, directory: RunDirectory, prepared: Preparation) -> tuple[int, Outputs, Tally]:
        """Number of rows, what was made of them, and what was computed; all is on disk then."""
        with self._measuring(directory, prepared) as measuring:
            begun = time.perf_counter()
            rows = measuring.rows()
            measuring.facts["measuring_seconds"] = round(time.perf_counter() - begun, 3)
        nonfinite = count_nonfinite(rows, self.settings.run.max_nonfinite)
        outputs = write_outputs(directory, self.settings, rows, measuring.facts, self.interrupts)
        with self.interrupts.shield():
            seconds = time.perf_counter() - self.started
            manifest = complete_manifest(
                self.settings, measuring.facts, measuring.tally, execution=prepared.execution, memory=measuring.memory,
                rows=len(rows), cells=len(prepared.cells), nonfinite=nonfinite, seconds=seconds,
            )  # fmt: skip
            directory.write_manifest(manifest, outputs.files)
            self.interrupts.complete()
        return len(rows), outputs, measuring.tally

    def _end(self, directory: RunDirectory, status: str, reason: str) -> None:
        """Note that the run is not complete; a full disk or a second signal must not hide the first error."""
        with contextlib.suppress(AdvlabError, Interrupted), self.interrupts.shield():
            write_ended_manifest(directory, self.settings, status, reason)
