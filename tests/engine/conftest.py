"""The experiment with two stages of `tests.helpers.staged`, on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.staged import staged_line


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The beginning of a command line that knows it."""
    monkeypatch.setenv("STAGES_LOG", str(tmp_path / "log"))
    return staged_line(tmp_path)
