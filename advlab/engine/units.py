"""The work of a run, unit by unit: a stage or a cell, named by its id, from the archived configuration and the plan alone.

`work` is what another process would be asked for: it prepares a context (once a process and plan), checks that weights and
data are those of the plan, and returns what was measured. It writes nothing of the run; the runner does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from advlab.config.settings import every_key, resolve
from advlab.engine.manifest import memory_taken
from advlab.engine.plan import blaming_the_plan, check_versions, is_prepared_now
from advlab.engine.setup import ReportProgress, build_context, measurement_mode
from advlab.engine.stages import Made, hold_stages, keep_stage, kept_stage, plan_stages
from advlab.engine.tally import Tally
from advlab.lab.cells import Cell
from advlab.lab.run_context import RunContext
from advlab.plugins.loading import load_plugins
from advlab.progress import TaskProgress
from advlab.store.sealed import canonical, sha256

log = logging.getLogger(__name__)

CELL, STAGE = "cell", "stage"


@dataclass(frozen=True)
class UnitResult:
    """What one unit has made, and what that took.

    Attributes:
        tally: what was computed for it.
        rows: of a cell; empty for a stage, whose arrays are in the cache.
        files: name -> content, which a cell keeps in the run directory.
        lacks: of a stage that could not be made: ids of the stages that must be made first.
        was_kept: of a stage: it was in the cache already.
        other_models: what the manifest says of networks that were loaded for it.
        memory: most bytes that the process has taken so far, `host` and `device`.
    """

    tally: Tally
    rows: list[Any] = field(default_factory=list)
    files: Mapping[str, bytes] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    was_kept: bool = False
    other_models: list[Any] = field(default_factory=list)
    memory: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PreparedRun:
    """A context that is ready to measure, and the cells by their ids; the stages are in the context."""

    ctx: RunContext
    cells: dict[str, Cell]


_prepared: dict[str, PreparedRun] = {}  # digest of a plan -> what this process has prepared for it


def work(
    nodes: Mapping[str, Any], plan: Mapping[str, Any], unit: str, *, for_others: bool = False, also_read: Path | None = None,
    report_progress: ReportProgress | None = None,
) -> UnitResult:  # fmt: skip
    """Carry out one unit.

    Args:
        nodes: the archived configuration.
        plan: of the run.
        unit: `cell:ID` or `stage:ID`.
        for_others: other processes read the stages from the cache.
        also_read: a second cache, of which nothing is written.
        report_progress: told how far preparing has come, where this process has not prepared the run; None: shown here.

    Raises:
        ResultError: weights or data are not those of the plan, or a stage that a cell needs has not been made.
        StorageError: the cache cannot be written, and others need the stage.
        AdvlabError: what cannot be loaded, and the remedy.
    """
    prepared, (kind, _, unit_id) = prepared_run(nodes, plan, also_read, report_progress), unit.partition(":")
    ctx = prepared.ctx
    before, others = Tally.of(ctx), len(ctx.facts.get("other_models", []))
    with blaming_the_plan(ctx.settings.experiment.name, partial(is_prepared_now, ctx, plan)):
        if kind == STAGE:
            result = provide_stage(prepared, unit_id, for_others)
        else:
            rows = measure_cell(prepared, unit_id)
            result = UnitResult(Tally(), rows=rows, files=ctx.files)
    loaded = list(ctx.facts.get("other_models", [])[others:])
    return replace(result, tally=Tally.of(ctx) - before, other_models=loaded, memory=memory_taken(ctx))


def measure_cell(prepared: PreparedRun, cell_id: str) -> list[Any]:
    """The rows of one cell, whose stages have been made; `ctx.files` holds the files that it keeps.

    Raises:
        ResultError: a stage that it needs has not been made.
    """
    ctx, cell = prepared.ctx, prepared.cells[cell_id]
    hold_stages(ctx, cell.stages)
    with measurement_mode(ctx):
        ctx.files = {}
        rows: list[Any] = ctx.settings.experiment.measure(ctx, cell)
    check_rows(ctx.settings.experiment, cell_id, rows)
    return rows


def provide_stage(prepared: PreparedRun, stage_id: str, for_others: bool) -> UnitResult:
    """See to it that a stage is in the cache: it was, or is made now, unless stages that it needs itself are missing."""
    ctx = prepared.ctx
    if artifact := kept_stage(ctx, stage_id):
        ctx.held[stage_id] = artifact  # for the cell that comes now, so that it is read once
        log.info("stage %s: kept from before", stage_id)
        return UnitResult(Tally(), was_kept=True)
    found = {needed: kept_stage(ctx, needed) for needed in ctx.stages[stage_id].stages}
    if lacks := tuple(needed for needed, artifact in found.items() if artifact is None):
        return UnitResult(Tally(), lacks=lacks)
    ctx.held.update({needed: artifact for needed, artifact in found.items() if artifact is not None})
    keep_stage(ctx, stage_id, partial(make_stage, prepared, stage_id), for_others=for_others)
    return UnitResult(Tally())


def make_stage(prepared: PreparedRun, stage_id: str) -> Made:
    """What a stage makes, once those that it needs have been made.

    Raises:
        ResultError: one has not.
    """
    ctx = prepared.ctx
    hold_stages(ctx, ctx.stages[stage_id].stages)
    with measurement_mode(ctx):
        return ctx.stages[stage_id].make()


def check_rows(experiment: Any, cell_id: str, rows: Any) -> None:
    """Say of an experiment which of its cells gave something else than a list of its rows.

    Raises:
        TypeError: a defect of the experiment's code.
    """
    wrong = (
        [type(row).__name__ for row in rows if not isinstance(row, experiment.Row)] if isinstance(rows, list) else []
    )
    if wrong or not isinstance(rows, list):
        got = f"a list with {wrong[0]}" if wrong else type(rows).__name__
        raise TypeError(
            f"{experiment.name}.measure must return a list of {experiment.Row.__name__}, the cell {cell_id} gave {got}"
        )


def prepared_run(
    nodes: Mapping[str, Any], plan: Mapping[str, Any], also_read: Path | None = None, report: ReportProgress | None = None
) -> PreparedRun:  # fmt: skip
    """What this process has prepared for a plan, prepared now if it is asked for the first time.

    Raises:
        ResultError: this process has other versions of the plan's components.
    """
    key = plan_key(plan)
    if key not in _prepared:
        load_plugins()  # of ADVLAB_PLUGINS and of installed packages
        settings = resolve(nodes, every_key(nodes))
        check_versions(plan, settings)
        ctx = build_context(settings, dict(plan), report or TaskProgress(), also_read)
        ctx.prepared = plan["prepared"]
        keep_prepared(plan, ctx, ctx.settings.experiment.cells(ctx))
    return _prepared[key]


def plan_key(plan: Mapping[str, Any]) -> str:
    """The digest of a plan, whatever cluster job its runner belongs to, and wherever its folders are."""
    return sha256(canonical({**plan, "job": "", "config": {}}))


def plan_is_prepared_now(plan: Mapping[str, Any]) -> bool:
    """Whether a plan says what the experiment prepares; True where another process has prepared it, which looks itself."""
    prepared = _prepared.get(plan_key(plan))
    return prepared is None or is_prepared_now(prepared.ctx, plan)


def keep_prepared(plan: Mapping[str, Any], ctx: RunContext, cells: Sequence[Cell]) -> None:
    """Let `work` use a context that this process has made for a plan already."""
    plan_stages(ctx)
    _prepared[plan_key(plan)] = PreparedRun(ctx, {cell.id: cell for cell in cells})


def forget_others(plan: Mapping[str, Any]) -> None:
    """Let go of what was prepared for other plans."""
    for key in set(_prepared) - {plan_key(plan)}:
        del _prepared[key]


def forget_all_prepared() -> None:
    """Let go of all networks and data, before a run of another plan."""
    _prepared.clear()


def forget_prepared(plan: Mapping[str, Any]) -> None:
    """Let go of the network and the data of a run that is over."""
    _prepared.pop(plan_key(plan), None)
