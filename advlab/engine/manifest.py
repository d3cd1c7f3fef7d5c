"""The manifest of a run, written last: what was measured, with what, on which machine, and how the run ended."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from advlab.config.settings import Settings
from advlab.engine.provenance import git_state, job_id, peak_memory, versions
from advlab.engine.tally import Tally
from advlab.lab.data_context import DeviceContext
from advlab.lab.network_context import NetworkContext
from advlab.lab.run_context import RunContext
from advlab.store.names import run_label
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import write_sealed


def complete_manifest(
    ctx: RunContext, tally: Tally, *, rows: int, cells: int, nonfinite: dict[str, Any], seconds: float
) -> dict[str, Any]:
    """What the manifest of a complete run says, but for the digests of the files.

    Args:
        ctx: of the run.
        tally: what setup and units have computed.
        rows: of the table.
        cells: of the plan.
        nonfinite: how many scores are not finite, and where.
        seconds: since the run began.
    """
    settings, experiment = ctx.settings, ctx.settings.experiment
    return {
        "status": "complete", "experiment": experiment.name, "paper": experiment.paper, "label": run_label(settings.nodes),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]], "digest": settings.digest, "config": settings.nodes,
        **ctx.facts, "execution": asdict(ctx.execution) if isinstance(ctx, NetworkContext) else {},
        "rows": rows, "cells": cells, "nonfinite": nonfinite, "seconds": round(seconds, 3),
        "forwards": tally.forwards, "backwards": tally.backwards,
        "attacked": {"images": tally.images, "seconds": round(tally.seconds, 6), **tally.facts},
        "batch_halvings": list(tally.halvings),
        "peak_memory_bytes": {"host": peak_memory(), "device": device_memory(ctx)},
        "versions": versions(), "git": git_state(), "job": job_id(),
    }  # fmt: skip


def device_memory(ctx: RunContext) -> int:
    """Most bytes that the run has taken on its device; 0 for the CPU and for a run without torch."""
    if not isinstance(ctx, DeviceContext):
        return 0
    from advlab.engine.device import peak_device_memory  # loads torch

    return peak_device_memory(ctx.device)


def write_ended_manifest(directory: RunDirectory, settings: Settings, status: str, reason: str) -> None:
    """Say in the manifest that the run ended before it was complete: `interrupted` or `failed`, and why."""
    content = {"status": status, "reason": reason, "digest": settings.digest, "config": settings.nodes, "files": {}}
    write_sealed(directory.manifest_path, content)
