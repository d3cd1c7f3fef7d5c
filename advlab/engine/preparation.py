"""What a run needs before its first unit: the context in which units are carried out, and what the runner knows of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from advlab.config.settings import Settings
from advlab.engine.manifest import memory_taken
from advlab.engine.plan import plan_content, planned_cells
from advlab.engine.setup import ReportProgress, build_context
from advlab.engine.tally import Tally
from advlab.engine.units import keep_prepared
from advlab.lab.network_context import NetworkContext


@dataclass(frozen=True)
class Preparation:
    """What the runner knows of a prepared run: plain values, which another process may have found.

    Attributes:
        plan: the content of plan.json.
        cells: id -> ids of the stages that the cell needs, in the order of the table.
        facts: of the manifest: device, data, network and accuracy.
        execution: how forwards are made, for the manifest; empty without a network.
        tally: what was computed on the way.
        memory: most bytes that were taken, `host` and `device`.
    """

    plan: dict[str, Any]
    cells: dict[str, tuple[str, ...]]
    facts: dict[str, Any]
    execution: dict[str, Any]
    tally: Tally
    memory: Mapping[str, int] = field(default_factory=dict)


def prepare(
    settings: Settings, plan: dict[str, Any] | None, report_progress: ReportProgress, also_read: Path | None = None
) -> Preparation:
    """Load or train what a run measures with, plan its cells, and keep the context for the units of this process.

    Args:
        settings: of the run.
        plan: of a run that is resumed; None for a new one.
        report_progress: told how far loading and training have come.
        also_read: a second cache, of which nothing is written.

    Raises:
        AdvlabError: see `build_context` and `planned_cells`.
    """
    ctx = build_context(settings, plan, report_progress, also_read)
    cells = planned_cells(ctx, plan)
    content = plan_content(ctx, cells) if plan is None else plan
    keep_prepared(content, ctx, cells)
    execution = asdict(ctx.execution) if isinstance(ctx, NetworkContext) else {}
    facts = copy.deepcopy(ctx.facts)  # to which units add in their own process
    ids = {cell.id: cell.stages for cell in cells}
    return Preparation(content, ids, facts, execution, Tally.of(ctx), memory_taken(ctx))
