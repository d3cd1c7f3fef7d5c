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

from advlab.artifacts import ArtifactStore
from advlab.claims import Claim, summary
from advlab.errors import AdvlabError, ConfigError, Interrupted, MeasurementError, ResultError
from advlab.experiment import Cell
from advlab.interrupts import Interrupts
from advlab.logs import RunLog
from advlab.plugins import VARIABLE
from advlab.progress import Progress
from advlab.provenance import git_state, job_id, peak_memory, requeued, versions
from advlab.results import RunDirectory, read_frame, run_label, to_csv
from advlab.schema import Settings
from advlab.storage import canonical, write_atomic, write_sealed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `complete`, `dry`, or `nothing left to do`."""

    status: str
    path: Path | None
    claims: list[Claim]


def execute(settings: Settings, *, directory: RunDirectory | None = None) -> Outcome:
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
            return Outcome("dry", None, [])
        found = directory or resumable(settings)
        if found is not None and found.finished() and not found.damaged() and not bad_cells(found, settings):
            print(f"{found.path}: complete, nothing left to do")
            return Outcome("nothing left to do", found.path, [])
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
    """Builds one run's context and carries the run through."""

    def __init__(self, settings: Settings, run_log: RunLog, interrupts: Interrupts) -> None:
        self.settings = settings
        self.experiment = settings.experiment
        self.run_log = run_log
        self.interrupts = interrupts
        self.started = time.perf_counter()
        self.facts: dict[str, Any] = {}
        self.phase: Progress | None = None
        self.artifacts = ArtifactStore(settings.run.path("cache_root"), writes=not settings.run.dry)

    # preparing

    def context(self, plan: dict[str, Any] | None) -> Any:
        """Everything that is loaded, trained and tuned before the first cell; a resumed plan's execution is repeated."""
        import torch

        from advlab.context import Context
        from advlab.models.forward import Execution, Forward, set_precision
        from advlab.models.tuning import device_name, tune

        run, nodes = self.settings.run, self.settings.nodes
        device = choose_device(run.device if plan is None else plan["device"])
        set_precision(run.precision)
        ctx = Context(self.settings, self.artifacts, device, self._tick)
        self.facts |= {"device": str(device), "device_name": device_name(device), "threads": torch.get_num_threads()}
        if "dataset" in self.experiment.uses:
            ctx.data = self._data(self.settings.dataset.split).to(device)
            self.facts["dataset"] = {
                "name": ctx.data.name, "split": ctx.data.split, "images": len(ctx.data), "shape": list(ctx.data.shape),
                "classes": list(ctx.data.classes), "digest": ctx.data.digest,
            }  # fmt: skip
            if plan is not None and plan["data"] != ctx.data.digest:
                raise ResultError(
                    f"the images of {ctx.data.name}/{ctx.data.split} are not those that this run began with "
                    f"({plan['data'][:12]}): start a new run without run.resume"
                )
        if "model" in self.experiment.uses and nodes["model"]["name"] != "none":
            assert ctx.data is not None
            loaded = self._classifier(ctx.data, device)
            ctx.classifier = loaded.classifier
            check_fit(ctx.data.name, ctx.data.shape, len(ctx.data.classes), self.settings, ctx.classifier.classes)
            weights = ctx.classifier.digest()
            if plan is None:
                ctx.execution = tune(ctx.classifier, device, run.precision, self.artifacts, run.batch_size)
            else:
                ctx.execution = Execution(**plan["execution"])
                if plan["weights"] != weights:
                    raise ResultError(
                        f"the weights of {ctx.classifier.name} are not those that this run began with ({plan['weights'][:12]}): "
                        "start a new run without run.resume"
                    )
            ctx.forward = Forward(ctx.classifier, ctx.execution)
            self.facts["model"] = {
                "name": ctx.classifier.name, "weights": weights, "origin": loaded.origin, "classes": ctx.classifier.classes,
                "head": ctx.classifier.head,
                "parameters": sum(p.numel() for p in ctx.classifier.network.parameters()),
            }  # fmt: skip
            ctx.predictions = self._predictions(ctx)
        return ctx

    def _data(self, split: str) -> Any:
        from advlab.data.sources import LoadOptions

        source, model, run = self.settings.dataset, self.settings.model, self.settings.run
        uses_model = hasattr(model, "shape")
        options = LoadOptions(
            root=run.path("data_root"),
            download=run.download and not run.dry,
            artifacts=self.artifacts,
            model_shape=model.shape if uses_model else None,
            model_crop=model.crop if uses_model else 1.0,
            model_resample=model.resample if uses_model else "bilinear",
        )
        node = self.settings.nodes["dataset"]
        check_fit(node["name"], source.shape(options.model_shape), source.class_count, self.settings)
        data = source.load(split, node.get("label") or node["name"], options)
        check_fit(node["name"], data.shape, len(data.classes), self.settings)
        return data

    def _classifier(self, data: Any, device: Any) -> Any:
        from advlab.models.load import load_classifier

        run, nodes = self.settings.run, self.settings.nodes
        return load_classifier(
            nodes["model"]["name"], self.settings.model, self.settings.recipe, shape=data.shape,
            train_data=lambda: self._data("train"), artifacts=self.artifacts, device=device, seed=run.seed,
            download=run.download and not run.dry,
        )  # fmt: skip

    def _predictions(self, ctx: Any) -> Any:
        from advlab.models.classifier import frozen
        from advlab.probes.selection import Predictions, predict

        run = self.settings.run

        def predictions(count: int) -> Predictions:
            with frozen(ctx.classifier):
                return predict(
                    ctx.classifier, ctx.forward, ctx.data, seed=run.seed, count=count, batch=ctx.execution.batch_size,
                    precision=run.precision, artifacts=self.artifacts, tick=self._tick,
                )  # fmt: skip

        return predictions

    def _report_accuracy(self, ctx: Any) -> None:
        predictions = ctx.predictions(self.settings.run.accuracy_images)
        n, right = len(predictions.correct), int(predictions.correct.sum())
        expected = getattr(self.settings.recipe, "expected", {}).get(ctx.data.name, 0.0)
        applies = expected > 0 and self.facts["model"]["origin"].startswith("trained")
        text = f"; the recipe reaches {100 * expected:.2f} %" if applies else ""
        log.info(
            "clean accuracy of %s on %s: %.2f %% (%d of %d)%s", ctx.classifier.name, ctx.data.name, 100 * right / n, right, n, text
        )  # fmt: skip
        if applies and right / n < expected - 0.01 - 3 * (expected * (1 - expected) / n) ** 0.5:
            log.warning("the clean accuracy is well below what the recipe reaches: check data and training")
        self.facts["clean_accuracy"] = {
            "accuracy": right / n,
            "correct": right,
            "images": n,
            "expected": expected if applies else None,
        }

    def _tick(self, title: str, done: int, total: int) -> None:
        """Progress of the phases before the cells."""
        if self.phase is None or (self.phase.title, self.phase.total) != (title, total):
            self._end_phase()
            self.phase = Progress(title, total)
        self.phase.update(done)
        if done >= total:
            self._end_phase()

    def _end_phase(self) -> None:
        if self.phase is not None:
            self.phase.close()
            self.phase = None

    # the dry plan

    def show_plan(self) -> None:
        """Print cells, forwards, backwards, FLOPs, a time estimate and memory; write nothing."""
        from advlab.dry import plan_text

        ctx = self.context(None)
        ctx.prepared = self.experiment.prepare(ctx)
        print(plan_text(self.settings, self.experiment, ctx))

    # the run

    def run(self, found: RunDirectory | None) -> Outcome:
        """Measure what is missing and finish."""
        with contextlib.ExitStack() as stack:
            try:
                if found is not None:  # before the work that another process may be doing
                    stack.enter_context(found.lock())
                plan = self._plan(found)
                ctx = self.context(plan)
                stack.callback(ctx.close)
                if ctx.predictions is not None:
                    self._report_accuracy(ctx)
                cells = self._cells(ctx, plan)
                directory = found or self._begin(stack, ctx, cells)
            except Interrupted:
                if found is not None:
                    say_how_to_resume(found)
                else:
                    print("interrupted before the first measurement: the same command begins anew", file=sys.stderr)
                raise
            finally:
                self._end_phase()
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
                    "cells": [cell.id for cell in cells], "prepared": ctx.prepared, "device": str(ctx.device),
                    "job": job_id(), "execution": asdict(ctx.execution) if ctx.execution else {},
                    "weights": self.facts.get("model", {}).get("weights", ""),
                    "data": self.facts.get("dataset", {}).get("digest", ""),
                },
            )  # fmt: skip
        return directory

    def _write_config(self, directory: RunDirectory, nodes: dict[str, Any]) -> None:
        write_atomic(directory.config_path, yaml.safe_dump(nodes, sort_keys=False, allow_unicode=True).encode())

    def _measure(self, directory: RunDirectory, ctx: Any, cells: list[Cell]) -> list[Any]:
        import torch

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
                with torch.inference_mode() if not self.experiment.gradients else contextlib.nullcontext():
                    rows = self.experiment.measure(ctx, cell)
                with self.interrupts.shield():
                    directory.write_cell(cell.id, rows, self.experiment.Row)
                done[cell.id] = rows
                progress.update(len(done))
        return [row for cell in cells for row in done[cell.id]]

    def _finish(self, directory: RunDirectory, ctx: Any, rows: list[Any], cells: int) -> Outcome:
        run = self.settings.run
        nonfinite = self._count_nonfinite(rows)
        with self.interrupts.shield():
            write_atomic(directory.table_path, to_csv(rows, self.experiment.Row, escape=run.escape_csv).encode())
        claims = self.experiment.claims(read_frame(directory.table_path))
        with self.interrupts.shield():
            write_atomic(directory.claims_path, to_csv(claims, Claim, escape=run.escape_csv).encode())
        from advlab.plotting.draw import draw_run

        figures = draw_run(directory, self.experiment, self.label)
        with self.interrupts.shield():
            files = [directory.config_path, directory.plan_path, directory.table_path, directory.claims_path, *figures]
            directory.write_manifest(self._manifest("complete", ctx, len(rows), cells, nonfinite), files)
        log.info("%d rows in %s", len(rows), directory.table_path)
        print(f"{self.experiment.title} ({self.experiment.paper}), {self.label}:")
        print(summary(claims))
        print(f"figure: {figures[0]}" if figures else "no figure")
        return Outcome("complete", directory.path, claims)

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
        import torch

        forward = ctx.forward
        cuda = torch.cuda.max_memory_allocated(ctx.device) if ctx.device.type == "cuda" else 0
        return {
            "status": status, "experiment": self.experiment.name, "paper": self.experiment.paper, "label": self.label,
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]], "digest": self.settings.digest, "config": self.settings.nodes,
            **self.facts, "execution": asdict(ctx.execution) if ctx.execution else {},
            "rows": rows, "cells": cells, "nonfinite": nonfinite,
            "seconds": round(time.perf_counter() - self.started, 3),
            "forwards": forward.images if forward else 0, "backwards": 0,
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


def choose_device(name: str) -> Any:
    """`run.device` as a torch device; `auto` takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: the device is not there.
    """
    import torch

    if name == "auto":
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    device = torch.device(name)
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there[device.type]:
        raise ConfigError(f"run.device={name}: there is no such device here: type run.device=auto or run.device=cpu")
    return device


def check_fit(dataset: str, shape: tuple[int, int, int], classes: int, settings: Settings, logits: int = 0) -> None:
    """Check that the model takes the dataset's images and has its classes.

    Args:
        dataset: its name, for the message.
        shape: (C, H, W) of its images.
        classes: how many it has; 0: not known yet.
        settings: of the run.
        logits: how many the network gives; 0: what the model declares.

    Raises:
        ConfigError: they do not fit; the message says what to type.
    """
    model, name = settings.model, settings.nodes["model"]["name"]
    if not hasattr(model, "shape"):
        return
    wanted = model.shape
    if wanted is not None and tuple(shape) != tuple(wanted):
        (c, h, w), (channels, height, _) = shape, wanted
        adapt = f"model.input=[{c},{h},{w}] or " if hasattr(model, "input") else ""
        keys = [f"dataset.size={height}"] if h != height else []
        keys += [f"dataset.channels={channels}"] if c != channels else []
        raise ConfigError(
            f"{name} takes images of {'x'.join(map(str, wanted))} (channels x height x width), {dataset} gives "
            f"{'x'.join(map(str, shape))}: type {adapt}{' '.join(keys)}"
        )
    outputs = logits or model.class_count
    if classes and outputs and classes != outputs:
        if hasattr(model, "classes") and not getattr(model, "pretrained", False):
            remedy = f"type model.classes={classes}"
        else:
            remedy = "choose the dataset that it was trained for by dataset=..., or another model"
        raise ConfigError(f"{name} has {outputs} classes, {dataset} has {classes}: {remedy}")
