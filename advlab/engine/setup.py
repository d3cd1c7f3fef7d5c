"""From settings to the context that an experiment measures with; torch is loaded here, and only where it is needed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from advlab.config.settings import Settings
from advlab.lab.context import Context
from advlab.store.artifacts import ArtifactStore

ReportProgress = Callable[[str, int, int], None]  # title, steps done, steps in all


def build_context(settings: Settings, plan: dict[str, Any] | None, report_progress: ReportProgress) -> Context:
    """Everything that is loaded, trained, tuned and predicted before the first cell.

    Args:
        settings: of the run.
        plan: of a run that is resumed, whose device, batch size and memory format are used again; None for a new run.
        report_progress: told how far loading, training and predicting have come.

    Raises:
        AdvlabError: what cannot be loaded, and the remedy; or data or weights are not those of the plan.
    """
    artifacts = ArtifactStore(settings.run.path("cache_root"), writes=not settings.run.dry)
    if not settings.experiment.torch:
        no_device: Any = None  # an experiment that runs without torch asks for none
        return Context(settings, artifacts, no_device, report_progress, facts={"device": "cpu"})
    from advlab.engine.torch_setup import build_torch_context

    return build_torch_context(settings, artifacts, plan, report_progress)


def measurement_mode(ctx: Context) -> contextlib.AbstractContextManager[object]:
    """What holds while cells are measured: the network is frozen, and torch records no gradients unless they are taken."""
    if not ctx.settings.experiment.torch:
        return contextlib.nullcontext()
    from advlab.engine.torch_setup import torch_measurement_mode

    return torch_measurement_mode(ctx)
