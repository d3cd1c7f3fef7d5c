"""The plan of a run, kept as plan.json: its cells and what they depend on, so that a resumed run repeats the same bits."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import yaml

from advlab.config.identity import Nodes, configuration_digest, named_components
from advlab.config.settings import Settings, every_key, resolve
from advlab.engine.provenance import job_id
from advlab.engine.stages import check_needed_stages, plan_stages, stage_digests
from advlab.errors import AdvlabError, MeasurementError, ResultError
from advlab.lab.cells import Cell
from advlab.lab.network_context import NetworkContext
from advlab.lab.run_context import RunContext
from advlab.store.atomic import write_atomic
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import canonical, write_sealed
from advlab.store.tables import column_types

log = logging.getLogger(__name__)


def plan_to_resume(directory: RunDirectory, settings: Settings) -> dict[str, Any]:
    """The plan of a run that is resumed; its config.yaml is written anew when it does not match.

    Raises:
        ResultError: the plan is damaged, or was made from another configuration.
    """
    plan = directory.plan()
    planned, _ = planned_configuration(plan)
    if configuration_digest(planned, {}) != configuration_digest(settings.nodes, {}):
        raise ResultError(
            f"{directory.path}: the configuration is not the one that its plan.json was made from: one of them was changed"
        )
    try:
        directory.nodes()
    except ResultError:
        log.warning("%s does not match plan.json, and is written anew from it", directory.config_path)
        write_config(directory, plan["config"])
    return plan


def planned_configuration(plan: Mapping[str, Any]) -> tuple[Nodes, dict[str, int]]:
    """The nodes of a plan as today's version archives them, and the versions of the components that it began with.

    Raises:
        ConfigError: a component of it is not there, or takes other parameters now.
    """
    nodes = plan["config"]
    settings = resolve(nodes, every_key(nodes))
    if "versions" in plan:
        return settings.nodes, plan["versions"]
    # version 0.1 kept the versions of attacks alone, in what the experiment prepared
    version = max(plan["prepared"].get("attack_versions", {}).values(), default=1)
    attacks = [named.place for named in named_components(settings.nodes) if named.group == "attack"]
    return settings.nodes, dict.fromkeys(attacks, version) if version != 1 else {}


def planned_digest(plan: Mapping[str, Any]) -> str:
    """The digest of a plan by today's rules; see `planned_configuration` for what it raises."""
    return configuration_digest(*planned_configuration(plan))


def check_versions(plan: Mapping[str, Any], settings: Settings) -> None:
    """Refuse to measure more of a run that other versions of its components began: its rows would not be of one kind.

    Raises:
        ResultError: names the component and both versions.
    """
    _, begun = planned_configuration(plan)
    for named in named_components(settings.nodes):
        version, today = begun.get(named.place, 1), settings.versions.get(named.place, 1)
        if version != today:
            raise ResultError(
                f"the run was begun with another version of the {named.group} {named.node['name']} ({version}, it is {today} "
                "now), which gives other results: start a new run"
            )


@contextlib.contextmanager
def blaming_the_plan(name: str, prepared_now: Callable[[], bool]) -> Iterator[None]:
    """While the block uses what a plan says was prepared: a failure is the plan's, where it is not what is prepared now.

    Any other failure is a defect of the code, and keeps its traceback.

    Args:
        name: of the experiment.
        prepared_now: whether the plan, which may be a stranger's, says what the experiment prepares (`is_prepared_now`).

    Raises:
        ResultError: the block failed, and the plan was changed.
    """
    try:
        yield
    except AdvlabError:
        raise
    except Exception as error:
        if not prepared_now():
            raise ResultError(
                f"plan.json is damaged: what it says was prepared is not what {name} prepares: start a new run without "
                "run.resume"
            ) from error
        raise


def is_prepared_now(ctx: RunContext, plan: Mapping[str, Any] | None) -> bool:
    """Whether the experiment prepares today what a plan says; also where it fails itself, and for a run without a plan."""
    if plan is None:
        return True
    try:
        return canonical(ctx.settings.experiment.prepare(ctx)) == canonical(plan["prepared"])
    except Exception:  # a defect, which hides none but the one that is being explained
        return True


def planned_cells(ctx: RunContext, plan: dict[str, Any] | None) -> list[Cell]:
    """The cells of the run; `ctx.stages` and `ctx.prepared` are set on the way, from the plan when there is one.

    Raises:
        MeasurementError: there are no cells.
        ResultError: the plan names other cells or stages than the experiment makes now.
    """
    experiment = ctx.settings.experiment
    # through JSON also when it is new, so that a resumed run sees the same
    ctx.prepared = json.loads(canonical(experiment.prepare(ctx))) if plan is None else plan["prepared"]
    prepared_now = partial(is_prepared_now, ctx, plan)
    with blaming_the_plan(experiment.name, prepared_now):
        cells: list[Cell] = experiment.cells(ctx)
    column_types(experiment.Row)  # a column that cannot be written is told before anything is measured
    if not cells:
        raise MeasurementError(
            f"{experiment.name}: there is nothing to measure: a list or a number of its parameters is empty"
        )
    ids = [cell.id for cell in cells]
    if len(set(ids)) < len(ids):
        raise ValueError(f"{experiment.name}: the ids of the cells are not unique")
    with blaming_the_plan(experiment.name, prepared_now):
        plan_stages(ctx)
    check_needed_stages(ctx, cells)
    if plan is not None and (ids != plan["cells"] or plan.get("stages", {}) != stage_digests(ctx)):
        raise ResultError(
            "the plan names other cells or stages than this version of advlab makes: start a new run without run.resume"
        )
    return cells


def plan_content(ctx: RunContext, cells: list[Cell]) -> dict[str, Any]:
    """What plan.json of a new run says; its digest is for readers, `planned_digest` tells what a plan means today."""
    settings = ctx.settings
    return {
        "digest": settings.digest, "versions": settings.versions,
        "experiment": settings.experiment.name, "config": settings.nodes,
        "cells": [cell.id for cell in cells], "stages": stage_digests(ctx),
        "prepared": ctx.prepared, "device": ctx.facts["device"],
        "device_name": ctx.facts.get("device_name", ""), "threads": ctx.facts.get("threads", 0),
        "job": job_id(), "execution": asdict(ctx.execution) if isinstance(ctx, NetworkContext) else {},
        "weights": ctx.facts.get("model", {}).get("weights", ""),
        "behaviour": ctx.classifier.behaviour if isinstance(ctx, NetworkContext) else [],
        "data": ctx.facts.get("dataset", {}).get("digest", ""),
    }  # fmt: skip


def write_plan(directory: RunDirectory, settings: Settings, content: Mapping[str, Any]) -> None:
    """Write config.yaml and plan.json of a new run."""
    write_config(directory, settings.nodes)
    write_sealed(directory.plan_path, {**content, "job": job_id()})  # the runner's, whoever has prepared it


def write_config(directory: RunDirectory, nodes: dict[str, Any]) -> None:
    """Archive a configuration, one mapping a group, as config.yaml."""
    write_atomic(directory.config_path, yaml.safe_dump(nodes, sort_keys=False, allow_unicode=True).encode())
