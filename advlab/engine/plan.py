"""The plan of a run, kept as plan.json: its cells and what they depend on, so that a resumed run repeats the same bits."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import Any

import yaml

from advlab.config.settings import Settings
from advlab.engine.provenance import job_id
from advlab.errors import ResultError
from advlab.lab.cells import Cell
from advlab.lab.context import Context
from advlab.store.atomic import write_atomic
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import canonical, write_sealed

log = logging.getLogger(__name__)


def plan_to_resume(directory: RunDirectory, settings: Settings) -> dict[str, Any]:
    """The plan of a run that is resumed; its config.yaml is written anew when it does not match.

    Raises:
        ResultError: the plan is damaged, or was made from another configuration.
    """
    plan = directory.plan()
    if plan["digest"] != settings.digest:
        raise ResultError(
            f"{directory.path}: the configuration is not the one that its plan.json was made from: one of them was changed"
        )
    try:
        directory.nodes()
    except ResultError:
        log.warning("%s does not match plan.json, and is written anew from it", directory.config_path)
        write_config(directory, plan["config"])
    return plan


def planned_cells(ctx: Context, plan: dict[str, Any] | None) -> list[Cell]:
    """The cells of the run; `ctx.prepared` is set on the way, from the plan when there is one.

    Raises:
        ResultError: the plan names other cells than the experiment makes now.
    """
    experiment = ctx.settings.experiment
    # through JSON also when it is new, so that a resumed run sees the same
    ctx.prepared = json.loads(canonical(experiment.prepare(ctx))) if plan is None else plan["prepared"]
    cells: list[Cell] = experiment.cells(ctx)
    ids = [cell.id for cell in cells]
    if len(set(ids)) < len(ids):
        raise ValueError(f"{experiment.name}: the ids of the cells are not unique")
    if plan is not None and ids != plan["cells"]:
        raise ResultError(
            "the plan names other cells than this version of advlab makes: start a new run without run.resume"
        )
    return cells


def write_plan(directory: RunDirectory, ctx: Context, cells: list[Cell]) -> None:
    """Write config.yaml and plan.json of a new run."""
    settings = ctx.settings
    write_config(directory, settings.nodes)
    write_sealed(
        directory.plan_path,
        {
            "digest": settings.digest, "experiment": settings.experiment.name, "config": settings.nodes,
            "cells": [cell.id for cell in cells], "prepared": ctx.prepared, "device": str(ctx.device or "cpu"),
            "job": job_id(), "execution": asdict(ctx.execution) if ctx.execution else {},
            "weights": ctx.facts.get("model", {}).get("weights", ""),
            "data": ctx.facts.get("dataset", {}).get("digest", ""),
        },
    )  # fmt: skip


def write_config(directory: RunDirectory, nodes: dict[str, Any]) -> None:
    """Archive a configuration, one mapping a group, as config.yaml."""
    write_atomic(directory.config_path, yaml.safe_dump(nodes, sort_keys=False, allow_unicode=True).encode())
