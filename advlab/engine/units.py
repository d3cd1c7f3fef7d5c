"""The work of a run, unit by unit: a stage or a cell, named by its id, from the archived configuration and the plan alone.

`work` is what another process would be asked for: it prepares a context (once a process and plan), checks that weights and
data are those of the plan, and returns what was measured. It writes nothing of the run; the runner does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from advlab.config.settings import every_key, resolve
from advlab.engine.setup import build_context, measurement_mode
from advlab.engine.stages import hold_stages, plan_stages
from advlab.engine.tally import Tally
from advlab.lab.cells import Cell
from advlab.lab.run_context import RunContext
from advlab.plugins.loading import load_plugins
from advlab.progress import TaskProgress
from advlab.store.artifacts import Arrays
from advlab.store.sealed import canonical, sha256

CELL, STAGE = "cell", "stage"


@dataclass(frozen=True)
class UnitResult:
    """What one unit has made, and what that took.

    Attributes:
        tally: what was computed for it.
        rows: of a cell; empty for a stage.
        arrays, facts: of a stage; empty for a cell.
        files: name -> content, which a cell keeps in the run directory.
    """

    tally: Tally
    rows: list[Any] = field(default_factory=list)
    arrays: Arrays = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class PreparedRun:
    """A context that is ready to measure, and the cells by their ids; the stages are in the context."""

    ctx: RunContext
    cells: dict[str, Cell]


_prepared: dict[str, PreparedRun] = {}  # digest of a plan -> what this process has prepared for it


def work(nodes: Mapping[str, Any], plan: Mapping[str, Any], unit: str) -> UnitResult:
    """Carry out one unit.

    Args:
        nodes: the archived configuration.
        plan: of the run.
        unit: `cell:ID` or `stage:ID`.

    Raises:
        ResultError: weights or data are not those of the plan, or a stage that it needs has not been made.
        AdvlabError: what cannot be loaded, and the remedy.
    """
    return carry_out(prepared_run(nodes, plan), unit)


def carry_out(prepared: PreparedRun, unit: str) -> UnitResult:
    """Make one stage or measure one cell, once the stages that it needs have been made."""
    ctx, (kind, _, unit_id) = prepared.ctx, unit.partition(":")
    before = Tally.of(ctx)
    needed = ctx.stages[unit_id].stages if kind == STAGE else prepared.cells[unit_id].stages
    hold_stages(ctx, needed)
    with measurement_mode(ctx):
        if kind == STAGE:
            arrays, facts = ctx.stages[unit_id].make()
            return UnitResult(Tally.of(ctx) - before, arrays=arrays, facts=facts)
        ctx.files = {}
        rows = ctx.settings.experiment.measure(ctx, prepared.cells[unit_id])
    check_rows(ctx.settings.experiment, unit_id, rows)
    return UnitResult(Tally.of(ctx) - before, rows=rows, files=ctx.files)


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


def prepared_run(nodes: Mapping[str, Any], plan: Mapping[str, Any]) -> PreparedRun:
    """What this process has prepared for a plan, prepared now if it is asked for the first time."""
    digest = sha256(canonical(plan))
    if digest not in _prepared:
        load_plugins()  # of ADVLAB_PLUGINS and of installed packages
        ctx = build_context(resolve(nodes, every_key(nodes)), dict(plan), TaskProgress())
        ctx.prepared = plan["prepared"]
        keep_prepared(plan, ctx, ctx.settings.experiment.cells(ctx))
    return _prepared[digest]


def keep_prepared(plan: Mapping[str, Any], ctx: RunContext, cells: Sequence[Cell]) -> None:
    """Let `work` use a context that this process has made for a plan already."""
    plan_stages(ctx)
    _prepared[sha256(canonical(plan))] = PreparedRun(ctx, {cell.id: cell for cell in cells})


def forget_prepared(plan: Mapping[str, Any]) -> None:
    """Let go of the network and the data of a run that is over."""
    _prepared.pop(sha256(canonical(plan)), None)
