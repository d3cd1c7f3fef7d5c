"""What the tests of experiments on spheres share: a run's context over random images and a given network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from advlab.config.settings import resolve
from advlab.lab.context import Context
from advlab.models.classifier import Classifier, frozen
from advlab.models.forward import Execution, Forward
from advlab.store.artifacts import ArtifactStore
from tests.helpers.images import random_images

SHAPE = (1, 6, 6)


@pytest.fixture
def around(tmp_path: Path) -> Callable[..., Context]:
    """A context as the runner would make it: `around("topology", network, trials=30, params={...})`."""

    def make(
        experiment: str,
        network: nn.Module,
        *,
        count: int = 3,
        batch: int = 60,
        shape: tuple[int, int, int] = SHAPE,
        samples: list[int] | None = None,
        params: dict[str, Any] | None = None,
        cache: Path = tmp_path,
        **probe: Any,
    ) -> Context:
        settings = resolve(
            {
                "dataset": {"name": "digits"}, "model": {"name": "lenet"}, "recipe": {"name": "none"},
                "attack": {"name": "none"},
                "probe": {"name": "sphere", "radii": [0.1, 1, 10], "trials": 20, "samples": count, **probe},
                "experiment": {"name": experiment, **(params or {})}, "run": {},
            }
        )  # fmt: skip
        classifier = Classifier(network.eval(), name="toy", shape=shape, mean=None, std=None)
        execution = Execution(batch, "contiguous", "float32")
        ctx = Context(settings, ArtifactStore(cache), torch.device("cpu"), lambda *_: None)
        ctx.data, ctx.classifier, ctx.execution = random_images(count, shape), classifier, execution
        ctx.forward = Forward(classifier, execution)
        chosen = samples if samples is not None else list(range(count))
        ctx.qualified = lambda: chosen  # type: ignore[method-assign]  # which images qualify is not the matter here
        ctx.prepared = settings.experiment.prepare(ctx)
        return ctx

    return make


@pytest.fixture
def measured() -> Callable[[Context], pd.DataFrame]:
    """The table of a context, with its `run` column."""

    def table(ctx: Context) -> pd.DataFrame:
        experiment = ctx.settings.experiment
        assert ctx.classifier is not None
        with frozen(ctx.classifier), torch.inference_mode():
            rows = [row for cell in experiment.cells(ctx) for row in experiment.measure(ctx, cell)]
        return pd.DataFrame([vars(row) for row in rows]).assign(run="toy")

    return table
