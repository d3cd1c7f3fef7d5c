"""One run: open or resume its directory, plan, measure missing cells, collect, check claims, draw."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from advlab.config.settings import Settings
from advlab.engine.interrupts import Interrupts
from advlab.engine.logs import RunLog
from advlab.engine.provenance import git_state, job_id, peak_memory, requeued, versions
from advlab.engine.setup import RunSetup
from advlab.errors import AdvlabError, Interrupted, MeasurementError, ResultError
from advlab.lab.experiment import Cell
from advlab.plugins.loading import VARIABLE
from advlab.progress import Progress
from advlab.statistics.claims import Claim, summary
from advlab.store.atomic import write_atomic
from advlab.store.names import run_label
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import canonical, write_sealed
from advlab.store.tables import frame_text, read_frame, to_csv

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended: `complete`, `dry`, or `nothing left to do`."""

    status: str
    path: Path | None
    claims: list[Claim]


def execute(settings: Settings, *, directory: RunDirectory | None = None) -> RunOutcome:
    """Carry out one run.

    Args:
        settings: the checked configuration.
        directory: an existing run to go on with; otherwise a new version, or with `run.resume` the newest unfinished
            one of the same configuration.

    Raises:
        AdvlabError: the fault and its remedy; what was measured is kept.
        Interrupted: a signal arrived; what was measured is kept and the command that resumes has been printed.
    """
    run_log, interrupts = RunLog(), Interrupts()
    with run_log.active(), interrupts.active():
        runner = Runner(settings, run_log, interrupts)
        if settings.run.dry:
            runner.show_plan()
            return RunOutcome("dry", None, [])
        found = directory or resumable(settings)
        if found is not None and found.finished() and not found.damaged() and not bad_cells(found, settings):
            print(f"{found.path}: complete, nothing left to do")
            return RunOutcome("nothing left to do", found.path, [])
        return runner.run(found)


def resumable(settings: Settings) -> RunDirectory | None:
    """The version that `run.resume=true`, or a requeued cluster job, goes on with; None for a new one."""
    job = job_id()
    if not settings.run.resume and not requeued():  # two commands in one allocation are two runs
        return None
    family = RunDirectory.family(settings.run.path("output_root"), settings.nodes)
    complete = None
    for version in reversed(RunDirectory.versions(family)):
        if not version.plan_path.exists():  # it was ended before it began
            continue
        try:
            plan = version.plan()
        except ResultError as error:
            log.warning("%s; %s is passed over", error, version.path)
            continue
        if plan["digest"] != settings.digest:
            continue
        if not settings.run.resume and plan["job"] != job:
            continue
        if not version.finished():
            return version
        complete = complete or version
    return complete


def bad_cells(directory: RunDirectory, settings: Settings) -> list[str]:
    """Ids of the planned cells that are missing or do not match their digest (those are moved aside, with a warning)."""
    bad = []
    for cell_id in directory.plan()["cells"]:
        try:
            rows = directory.read_cell(cell_id, settings.experiment.Row)
        except ResultError as error:
            log.warning("%s; it will be measured again", error)
            rows = None
        if rows is None:
            bad.append(cell_id)
    return bad


class Runner:
    """Carries one run through."""

    def __init__(self, settings: Settings, run_log: RunLog, interrupts: Interrupts) -> None:
        self.settings = settings
        self.experiment = settings.experiment
        self.run_log = run_log
        self.interrupts = interrupts
        self.started = time.perf_counter()
        self.preparation = RunSetup(settings)
        self.facts = self.preparation.facts

    # the dry plan

    def show_plan(self) -> None:
        """Print cells, forwards, backwards, FLOPs, a time estimate and memory; write nothing."""
        from advlab.engine.plan import plan_text

        ctx = self.preparation.context(None)
        ctx.prepared = self.experiment.prepare(ctx)
        print(plan_text(self.settings, self.experiment, ctx))

    # the run

    def run(self, found: RunDirectory | None) -> RunOutcome:
        """Measure what is missing and finish."""
        with contextlib.ExitStack() as stack:
            try:
                if found is not None:  # before the work that another process may be doing
                    stack.enter_context(found.lock())
                plan = self._plan(found)
                ctx = self.preparation.context(plan)
                if ctx.predictions is not None:
                    self.preparation.report_accuracy(ctx)
                cells = self._cells(ctx, plan)
                directory = found or self._begin(stack, ctx, cells)
            except Interrupted:
                if found is not None:
                    say_how_to_resume(found)
                else:
                    print("interrupted before the first measurement: the same command begins anew", file=sys.stderr)
                raise
            finally:
                self.preparation.end_phase()
            self.run_log.write_to(directory.log_path)
            log.info("%s %s", "going on with" if found else "writing to", directory.path)
            if directory.manifest_path.is_file():
                for name in directory.damaged():
                    log.warning("%s is missing or damaged, and is made again", directory.path / name)
                directory.reopen()
            try:
                if ctx.classifier is not None:
                    from advlab.models.classifier import frozen

                    stack.enter_context(frozen(ctx.classifier))
                rows = self._measure(directory, ctx, cells)
                return self._finish(directory, ctx, rows, len(cells))
            except Interrupted as interrupt:
                self._abandon(directory, "interrupted", signal.Signals(interrupt.signum).name)
                say_how_to_resume(directory)
                raise
            except AdvlabError as error:
                self._abandon(directory, "failed", str(error))
                raise
            except Exception as error:
                self._abandon(directory, "failed", repr(error))
                log.exception("the run failed; what was measured is kept in %s", directory.path)
                raise

    def _plan(self, found: RunDirectory | None) -> dict[str, Any] | None:
        """The plan of a run that is resumed; its config.yaml is written anew when it does not match."""
        if found is None:
            return None
        plan = found.plan()
        if plan["digest"] != self.settings.digest:
            raise ResultError(
                f"{found.path}: the configuration is not the one that its plan.json was made from: one of them was changed"
            )
        try:
            found.nodes()
        except ResultError:
            log.warning("%s does not match plan.json, and is written anew from it", found.config_path)
            with self.interrupts.shield():
                self._write_config(found, plan["config"])
        return plan

    def _cells(self, ctx: Any, plan: dict[str, Any] | None) -> list[Cell]:
        """The planned cells; those of a resumed run must be the same."""
        # through JSON also when it is new, so that a resumed run sees the same
        ctx.prepared = json.loads(canonical(self.experiment.prepare(ctx))) if plan is None else plan["prepared"]
        cells: list[Cell] = self.experiment.cells(ctx)
        ids = [cell.id for cell in cells]
        if len(set(ids)) < len(ids):
            raise ValueError(f"{self.experiment.name}: the ids of the cells are not unique")
        if plan is not None and ids != plan["cells"]:
            raise ResultError(
                "the plan names other cells than this version of advlab makes: start a new run without run.resume"
            )
        return cells

    def _begin(self, stack: contextlib.ExitStack, ctx: Any, cells: list[Cell]) -> RunDirectory:
        """A new version, locked, with its configuration and plan."""
        family = RunDirectory.family(self.settings.run.path("output_root"), self.settings.nodes)
        with self.interrupts.shield():
            directory = RunDirectory.create(family)
            stack.enter_context(directory.lock())
            self._write_config(directory, self.settings.nodes)
            write_sealed(
                directory.plan_path,
                {
                    "digest": self.settings.digest, "experiment": self.experiment.name, "config": self.settings.nodes,
                    "cells": [cell.id for cell in cells], "prepared": ctx.prepared, "device": str(ctx.device or "cpu"),
                    "job": job_id(), "execution": asdict(ctx.execution) if ctx.execution else {},
                    "weights": self.facts.get("model", {}).get("weights", ""),
                    "data": self.facts.get("dataset", {}).get("digest", ""),
                },
            )  # fmt: skip
        return directory

    def _write_config(self, directory: RunDirectory, nodes: dict[str, Any]) -> None:
        write_atomic(directory.config_path, yaml.safe_dump(nodes, sort_keys=False, allow_unicode=True).encode())

    def _measure(self, directory: RunDirectory, ctx: Any, cells: list[Cell]) -> list[Any]:
        done: dict[str, list[Any]] = {}
        for cell in cells:
            try:
                rows = directory.read_cell(cell.id, self.experiment.Row)
            except ResultError as error:
                log.warning("%s; measuring it again", error)
                rows = None
            if rows is not None:
                done[cell.id] = rows
        if done:
            log.info("%d of %d cells are measured already", len(done), len(cells))
        self.facts["cells_resumed"] = len(done)
        with Progress(self.experiment.name, len(cells), len(done)) as progress:
            for cell in cells:
                if cell.id in done:
                    continue
                with self._mode():
                    rows = self.experiment.measure(ctx, cell)
                with self.interrupts.shield():
                    directory.write_cell(cell.id, rows, self.experiment.Row)
                done[cell.id] = rows
                progress.update(len(done))
        return [row for cell in cells for row in done[cell.id]]

    def _mode(self) -> contextlib.AbstractContextManager[Any]:
        """Inference mode, unless the experiment takes gradients or no torch."""
        if self.experiment.gradients or not self.experiment.torch:
            return contextlib.nullcontext()
        import torch

        return torch.inference_mode()

    def _finish(self, directory: RunDirectory, ctx: Any, rows: list[Any], cells: int) -> RunOutcome:
        run = self.settings.run
        nonfinite = self._count_nonfinite(rows)
        with self.interrupts.shield():
            write_atomic(directory.table_path, to_csv(rows, self.experiment.Row, escape=run.escape_csv).encode())
        table = read_frame(directory.table_path, self.experiment.Row)
        claims = self.experiment.claims(table)
        with self.interrupts.shield():
            write_atomic(directory.claims_path, to_csv(claims, Claim, escape=run.escape_csv).encode())
        table = table.assign(run=self.label)
        numbers = self.experiment.summary(table)
        made = [directory.table_path, directory.claims_path]
        if numbers is not None:
            with self.interrupts.shield():
                write_atomic(directory.summary_path, numbers.to_csv(index=False, lineterminator="\n").encode())
            made.append(directory.summary_path)
        from advlab.plotting.draw import draw_run

        figures = draw_run(directory, self.experiment, table)
        with self.interrupts.shield():
            files = [directory.config_path, directory.plan_path, *made, *figures]
            directory.write_manifest(self._manifest("complete", ctx, len(rows), cells, nonfinite), files)
        log.info("%d rows in %s", len(rows), directory.table_path)
        print(f"{self.experiment.title} ({self.experiment.paper}), {self.label}:")
        if numbers is not None:
            if ctx.counts.images and numbers["run"].is_unique:  # not in summary.csv, which a resumed run repeats
                numbers["seconds_per_image"] = ctx.counts.seconds / ctx.counts.images
            print(frame_text(numbers))
        if claims:
            print(summary(claims))
        print(f"figure: {figures[0]}" if figures else "no figure")
        return RunOutcome("complete", directory.path, claims)

    @property
    def label(self) -> str:
        """The run in words, for titles: model and dataset."""
        return run_label(self.settings.nodes)

    def _count_nonfinite(self, rows: list[Any]) -> dict[str, Any]:
        if not rows or not hasattr(rows[0], "nonfinite"):
            return {"count": 0}
        bad = sum(row.nonfinite for row in rows)
        total = sum(row.trials for row in rows)
        samples = sorted({row.sample for row in rows if row.nonfinite})
        if bad:
            log.warning("%d of %d scores are NaN or infinite, in the samples %s", bad, total, samples[:20])
        if bad > self.settings.run.max_nonfinite * total:
            raise MeasurementError(
                f"{bad} of {total} scores are NaN or infinite (samples {samples[:20]}), more than run.max_nonfinite="
                f"{self.settings.run.max_nonfinite:g} allows: check the network, or run.precision"
            )
        return {"count": bad, "of": total, "samples": samples}

    def _manifest(self, status: str, ctx: Any, rows: int, cells: int, nonfinite: dict[str, Any]) -> dict[str, Any]:
        forward, cuda = ctx.forward, 0
        if ctx.device is not None and ctx.device.type == "cuda":
            import torch

            cuda = torch.cuda.max_memory_allocated(ctx.device)
        return {
            "status": status, "experiment": self.experiment.name, "paper": self.experiment.paper, "label": self.label,
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]], "digest": self.settings.digest, "config": self.settings.nodes,
            **self.facts, "execution": asdict(ctx.execution) if ctx.execution else {},
            "rows": rows, "cells": cells, "nonfinite": nonfinite,
            "seconds": round(time.perf_counter() - self.started, 3),
            "forwards": (forward.images if forward else 0) + ctx.counts.forwards, "backwards": ctx.counts.backwards,
            "attacked": {"images": ctx.counts.images, "seconds": round(ctx.counts.seconds, 6), **ctx.counts.facts},
            "batch_halvings": forward.halvings if forward else [],
            "peak_memory_bytes": {"host": peak_memory(), "device": cuda},
            "versions": versions(), "git": git_state(), "job": job_id(),
        }  # fmt: skip

    def _abandon(self, directory: RunDirectory, status: str, reason: str) -> None:
        """Say in the manifest that the run is not complete; a disk that is full must not hide the first error."""
        with contextlib.suppress(AdvlabError), self._quietly():
            content = {
                "status": status,
                "reason": reason,
                "digest": self.settings.digest,
                "config": self.settings.nodes,
            }
            write_sealed(directory.manifest_path, {**content, "files": {}})

    @contextlib.contextmanager
    def _quietly(self) -> Iterator[None]:
        with contextlib.suppress(Interrupted), self.interrupts.shield():
            yield


def say_how_to_resume(directory: RunDirectory) -> None:
    """Print the command that goes on with an interrupted run."""
    plugins = [f"--plugin {shlex.quote(file)}" for file in os.environ.get(VARIABLE, "").split(os.pathsep) if file]
    command = " ".join(["advlab", *plugins, "resume", shlex.quote(str(directory.path))])
    print(f"interrupted; go on with: {command}", file=sys.stderr)
