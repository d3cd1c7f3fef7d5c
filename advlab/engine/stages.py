"""The stages of a run: planned, identified by their keys, made once and held for the units that need them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from advlab.errors import ResultError
from advlab.lab.cells import Stage
from advlab.lab.run_context import RunContext
from advlab.store.artifacts import Arrays, Artifact
from advlab.store.atomic import StorageError
from advlab.store.sealed import canonical, sha256

log = logging.getLogger(__name__)

Made = tuple[Arrays, Mapping[str, Any]]  # arrays and facts


def plan_stages(ctx: RunContext) -> None:
    """Give the context the stages of its experiment.

    Raises:
        ValueError: two stages have one id, or one needs a stage that does not stand before it.
    """
    stages: dict[str, Stage] = {}
    for stage in ctx.settings.experiment.stages(ctx):
        missing = [needed for needed in stage.stages if needed not in stages]
        if stage.id in stages or missing:
            fault = f"needs {missing[0]!r}, which does not stand before it" if missing else "is there twice"
            raise ValueError(f"{ctx.settings.experiment.name}: the stage {stage.id!r} {fault}")
        stages[stage.id] = stage
    ctx.stages = stages


def stage_key(ctx: RunContext, stage_id: str) -> dict[str, Any]:
    """The whole key of a stage: its own, and the digests of the keys of those that it needs."""
    stage = ctx.stages[stage_id]
    needed = {other: sha256(canonical(stage_key(ctx, other))) for other in stage.stages}
    return {**stage.key, "stages": needed} if needed else dict(stage.key)


def hold_stages(ctx: RunContext, stage_ids: Sequence[str]) -> None:
    """Read what a unit's stages have made; what the unit before it needed as well is not read again.

    Raises:
        ResultError: one has not been made, or is damaged.
    """
    held = {stage_id: ctx.held[stage_id] for stage_id in stage_ids if stage_id in ctx.held}
    ctx.held = held
    for stage_id in stage_ids:
        artifact = held.get(stage_id) or ctx.unsaved.get(stage_id)
        artifact = artifact or ctx.artifacts.find(ctx.stages[stage_id].kind, stage_key(ctx, stage_id))
        if artifact is None:
            raise ResultError(
                f"what the stage {stage_id} made is not in {ctx.artifacts.root}: go on with `advlab resume`"
            )
        held[stage_id] = artifact


def stage_digests(ctx: RunContext) -> dict[str, str]:
    """Id of each stage -> digest of its whole key, for the plan."""
    return {stage_id: sha256(canonical(stage_key(ctx, stage_id))) for stage_id in ctx.stages}


def keep_stage(ctx: RunContext, stage_id: str, make: Callable[[], Made]) -> None:
    """Put what a stage makes into the cache, unless it is there.

    A cache that cannot be written costs other runs the work, and this one nothing: it is a warning.
    """
    stage = ctx.stages[stage_id]
    made: list[Made] = []

    def make_once() -> Made:
        log.info("stage %s: being made", stage_id)
        started = time.perf_counter()
        made.append(make())
        log.info("stage %s: made in %.1f s", stage_id, time.perf_counter() - started)
        return made[0]

    try:
        artifact = ctx.artifacts.get(stage.kind, stage_key(ctx, stage_id), make_once)
        if not artifact.fresh:
            log.info("stage %s: kept from before", stage_id)
    except StorageError as error:
        if not made:
            raise
        log.warning("what the stage %s made is not kept for other runs: %s", stage_id, error)
        arrays, facts = made[0]
        ctx.unsaved[stage_id] = Artifact(arrays, dict(facts), fresh=True)
