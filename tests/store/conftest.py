"""An empty run directory for the tests of tables and runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from advlab.store.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "isotropy" / "digits-lenet")
