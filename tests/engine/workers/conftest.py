"""Runs of an experiment with stages on two processes of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("distributed")

from tests.helpers.shared_runs import Shared


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shared:
    """The experiment, whose units do what a test asks of them."""
    monkeypatch.chdir(tmp_path)
    return Shared(tmp_path)
