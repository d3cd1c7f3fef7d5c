"""What the tests of experiments on spheres share: a run's context over random images and a given network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from torch import nn

from advlab import testing
from advlab.lab import NetworkContext
from advlab.models.classifier import Classifier
from tests.helpers.images import random_images

SHAPE = (1, 6, 6)


@pytest.fixture
def around(tmp_path: Path) -> Callable[..., NetworkContext]:
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
    ) -> NetworkContext:
        return testing.context(
            experiment,
            Classifier(network.eval(), name="toy", shape=shape, mean=None, std=None),
            random_images(count, shape),
            options={
                "probe.radii": [0.1, 1, 10], "probe.trials": 20, "probe.samples": count,
                **{f"probe.{key}": value for key, value in probe.items()},
                **{f"experiment.{key}": value for key, value in (params or {}).items()},
            },
            samples=samples if samples is not None else list(range(count)),
            batch_size=batch,
            folder=cache,
        )  # fmt: skip

    return make


@pytest.fixture
def measured() -> Callable[[NetworkContext], pd.DataFrame]:
    """The table of a context, with its `run` column."""
    return lambda ctx: testing.measured(ctx).assign(run="toy")
