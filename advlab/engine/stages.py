"""The stages of a run: planned, identified by their keys, made once and held for the units that need them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from advlab.errors import ResultError, suggest
from advlab.lab.cells import Cell, Stage
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
    check_stages_differ(ctx)


def check_stages_differ(ctx: RunContext) -> None:
    """Refuse two stages that would be one artifact, or that one function makes: the second would be given the first's.

    Raises:
        ValueError: names them.
    """
    keys: dict[bytes, str] = {}
    makers: dict[tuple[Any, ...], str] = {}
    for stage_id in ctx.stages:
        key = canonical([stage_kind(ctx, stage_id), stage_key(ctx, stage_id)])
        if keys.setdefault(key, stage_id) != stage_id:
            raise ValueError(
                f"the stages {keys[key]!r} and {stage_id!r} have one kind and one key: say what differs in `key`"
            )
        make: Any = ctx.stages[stage_id].make
        if hasattr(make, "__code__"):
            variables = (make.__defaults__, *(id(cell) for cell in make.__closure__ or ()))
            maker = (make.__code__, *variables)
            if makers.setdefault(maker, stage_id) != stage_id:
                raise ValueError(
                    f"the stages {makers[maker]!r} and {stage_id!r} have one `make`, a function that sees the last value of a "
                    "loop: use functools.partial(function, value)"
                )


def check_needed_stages(ctx: RunContext, cells: Sequence[Cell]) -> None:
    """Refuse cells that need a stage which there is not.

    Raises:
        ValueError: names the cell and the stage.
    """
    for cell in cells:
        for stage_id in cell.stages:
            if stage_id not in ctx.stages:
                raise ValueError(f"the cell {cell.id!r} needs the stage {stage_id!r}. {suggest(stage_id, ctx.stages)}")


def stage_kind(ctx: RunContext, stage_id: str) -> str:
    """The folder of the cache in which a stage is kept: its own name, or one of the experiment and the stage."""
    return ctx.stages[stage_id].kind or f"{ctx.settings.experiment.name}-{stage_id}"


def kept_stage(ctx: RunContext, stage_id: str) -> Artifact | None:
    """What a stage has made before, in this run or another; None if it must be made."""
    return (
        ctx.held.get(stage_id)
        or ctx.unsaved.get(stage_id)
        or ctx.artifacts.find(stage_kind(ctx, stage_id), stage_key(ctx, stage_id))
    )


def stages_to_make(ctx: RunContext, wanted: Sequence[str]) -> list[str]:
    """The stages that must be made for some to be there, each after those that it needs."""
    missing: list[str] = []
    for stage_id in wanted:
        if stage_id not in missing and kept_stage(ctx, stage_id) is None:
            missing += [other for other in stages_to_make(ctx, ctx.stages[stage_id].stages) if other not in missing]
            missing.append(stage_id)
    return missing


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
        artifact = kept_stage(ctx, stage_id)
        if artifact is None:
            raise ResultError(
                f"what the stage {stage_id} made is not in {ctx.artifacts.root}: go on with `advlab resume`"
            )
        held[stage_id] = artifact


def checked_made(stage_id: str, arrays: Arrays, facts: Mapping[str, Any]) -> Made:
    """What a stage has made, if it can be kept.

    Raises:
        TypeError: an array is none of numpy's, or a fact is no plain JSON.
    """
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise TypeError(
                f"the stage {stage_id!r}: {name} must be a numpy array (tensor.cpu().numpy()), got {type(array)}"
            )
    try:
        canonical(dict(facts))
    except TypeError as error:
        raise TypeError(f"the stage {stage_id!r}: facts must be plain JSON: {error}") from error
    return arrays, facts


def stage_digests(ctx: RunContext) -> dict[str, str]:
    """Id of each stage -> digest of its whole key, for the plan."""
    return {stage_id: sha256(canonical(stage_key(ctx, stage_id))) for stage_id in ctx.stages}


def keep_stage(ctx: RunContext, stage_id: str, make: Callable[[], Made], *, for_others: bool = False) -> None:
    """Put what a stage makes into the cache, unless it is there.

    A cache that cannot be written costs other runs the work, and this one nothing: it is a warning.

    Args:
        ctx: of the run.
        stage_id: of the stage.
        make: makes it.
        for_others: other processes read it from the cache, which must then be written.

    Raises:
        StorageError: the cache cannot be written, and others need what was made.
    """
    made: list[Made] = []

    def make_once() -> Made:
        log.info("stage %s: being made", stage_id)
        started = time.perf_counter()
        made.append(checked_made(stage_id, *make()))
        log.info("stage %s: made in %.1f s", stage_id, time.perf_counter() - started)
        return made[0]

    try:
        ctx.artifacts.get(stage_kind(ctx, stage_id), stage_key(ctx, stage_id), make_once)
    except StorageError as error:
        if not made or for_others:
            raise
        log.warning("what the stage %s made is not kept for other runs: %s", stage_id, error)
        arrays, facts = made[0]
        ctx.unsaved[stage_id] = Artifact(arrays, dict(facts), fresh=True)
