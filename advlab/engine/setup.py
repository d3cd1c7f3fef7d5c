"""From settings to the context that an experiment measures with; torch is loaded here, and only where it is needed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from advlab import collection
from advlab.config.migrations import key_of_today
from advlab.config.settings import Settings
from advlab.engine.files import check_files
from advlab.lab.data_context import DeviceContext
from advlab.lab.run_context import RunContext
from advlab.store.artifacts import ArtifactStore

ReportProgress = Callable[[str, int, int], None]  # title, steps done, steps in all


def build_context(
    settings: Settings, plan: dict[str, Any] | None, report_progress: ReportProgress, also_read: Path | None = None
) -> RunContext:
    """Everything that is loaded, trained, tuned and predicted before the first cell.

    Args:
        settings: of the run.
        plan: of a run that is resumed, whose device, batch size and memory format are used again; None for a new run.
        report_progress: told how far loading, training and predicting have come.
        also_read: a second cache, of which nothing is written (see `ArtifactStore`).

    Raises:
        AdvlabError: what cannot be loaded, and the remedy; or data or weights are not those of the plan.
    """
    root, writes = settings.run.path("cache_root"), not settings.run.dry
    artifacts = ArtifactStore(root, writes=writes, key_of_today=key_of_today, also_read=also_read)
    if needs_numpy_alone(settings):
        collection.settle()
        facts = {"device": "cpu"}
        return RunContext(settings=settings, artifacts=artifacts, report_progress=report_progress, facts=facts)
    check_files(settings, artifacts)
    with collection.paused():
        from advlab.engine.torch_setup import build_torch_context
    collection.settle()
    return build_torch_context(settings, artifacts, plan, report_progress)


def needs_numpy_alone(settings: Settings) -> bool:
    """Whether torch is not loaded for the run."""
    return not issubclass(settings.experiment.context_type(), DeviceContext)


def measurement_mode(ctx: RunContext) -> contextlib.AbstractContextManager[object]:
    """What holds while units are measured on a device (see `torch_setup.measuring_on_a_device`); nothing for other runs."""
    if not isinstance(ctx, DeviceContext):
        return contextlib.nullcontext()
    from advlab.engine.torch_setup import measuring_on_a_device  # loads torch

    return measuring_on_a_device(ctx)
