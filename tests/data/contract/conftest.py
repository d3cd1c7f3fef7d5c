"""The plug-in dataset of the contract, and each dataset in small, ready to load."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from advlab.config import components
from advlab.plugins.dataset import dataset
from advlab.plugins.names import registered_choices
from tests.helpers.datasets import DATASET_CASES, PLUGIN, Bench, load_plugin_data


@pytest.fixture(scope="module", autouse=True)
def _plugin() -> Iterator[None]:
    dataset(PLUGIN)(load_plugin_data)
    yield
    components.REGISTRIES["dataset"]._targets.pop(PLUGIN)
    registered_choices.pop(("dataset", PLUGIN))


@pytest.fixture(params=DATASET_CASES)
def bench(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(request.param, DATASET_CASES[request.param], tmp_path, monkeypatch)
