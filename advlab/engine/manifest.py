"""The manifest of a run, written last: what was measured, with what, on which machine, and how the run ended."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advlab.config.labels import label_with_options
from advlab.config.settings import Settings
from advlab.engine.provenance import git_state, job_id, peak_memory, versions
from advlab.engine.tally import Tally
from advlab.lab.data_context import DeviceContext
from advlab.lab.run_context import RunContext
from advlab.plugins.loading import plugin_words
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import write_sealed


def complete_manifest(
    settings: Settings, facts: Mapping[str, Any], tally: Tally, *, execution: Mapping[str, Any],
    memory: Mapping[str, int], rows: int, cells: int, nonfinite: dict[str, Any], seconds: float,
) -> dict[str, Any]:  # fmt: skip
    """What the manifest of a complete run says, but for the digests of the files.

    Args:
        settings: of the run.
        facts: about device, data, network and accuracy.
        tally: what setup and units have computed.
        execution: how forwards were made.
        memory: most bytes that a process has taken, `host` and `device`.
        rows: of the table.
        cells: of the plan.
        nonfinite: how many scores are not finite, and where.
        seconds: since the run began.
    """
    experiment = settings.experiment
    return {
        "status": "complete", "experiment": experiment.name, "paper": experiment.paper, "label": label_with_options(settings.nodes),
        "command": command_words(), "digest": settings.digest, "config": settings.nodes,
        **facts, "execution": dict(execution),
        "rows": rows, "cells": cells, "nonfinite": nonfinite, "seconds": round(seconds, 3),
        "forwards": tally.forwards, "backwards": tally.backwards,
        "attacked": {"images": tally.images, "seconds": round(tally.seconds, 6), **tally.facts},
        "batch_halvings": list(tally.halvings),
        "peak_memory_bytes": {"host": max(peak_memory(), memory["host"]), "device": memory["device"]},
        "versions": versions(), "git": git_state(), "job": job_id(),
    }  # fmt: skip


def command_words() -> list[str]:
    """The program and its arguments; of a sweep, whose plug-ins Hydra must not see, with these in front."""
    program, *words = sys.argv
    name = Path(program).name
    of_a_sweep = name == "advlab" and not any(word.partition("=")[0] == "--plugin" for word in words)
    return [name, *(plugin_words() if of_a_sweep else []), *words]


def memory_taken(ctx: RunContext) -> dict[str, int]:
    """Most bytes that this process has taken so far, of its own and of the run's device (0 for the CPU and without torch)."""
    if not isinstance(ctx, DeviceContext):
        return {"host": peak_memory(), "device": 0}
    from advlab.engine.device import peak_device_memory  # loads torch

    return {"host": peak_memory(), "device": peak_device_memory(ctx.device)}


def write_ended_manifest(directory: RunDirectory, settings: Settings, status: str, reason: str) -> None:
    """Say in the manifest that the run ended before it was complete: `interrupted` or `failed`, and why."""
    content = {"status": status, "reason": reason, "digest": settings.digest, "config": settings.nodes, "files": {}}
    write_sealed(directory.manifest_path, content)
