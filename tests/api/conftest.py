"""A session in an empty folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore

from advlab.config import components
from advlab.plugins.names import registered_choices


@pytest.fixture(autouse=True)
def _session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A session in an empty folder, whose choices are gone afterwards."""
    monkeypatch.chdir(tmp_path)
    targets = {group: dict(registry._targets) for group, registry in components.REGISTRIES.items()}
    choices, repo = dict(registered_choices), ConfigStore.instance().repo
    stored = {group: dict(repo.get(group, {})) for group in components.REGISTRIES}
    yield
    for group, registry in components.REGISTRIES.items():
        registry._targets = targets[group]
        repo[group] = stored[group]
    registered_choices.clear()
    registered_choices.update(choices)
