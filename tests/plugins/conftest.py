"""A user's plug-in files in the folder of a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.plugins import BLOBS, EXPERIMENT, NET


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """The three plug-ins as files beside, not in, the working folder's outputs."""
    folder = tmp_path / "my plug-ins"
    folder.mkdir()
    paths = {}
    for name, text in {"net": NET, "blobs": BLOBS, "squares": EXPERIMENT}.items():
        (folder / f"{name}.py").write_text(text)
        paths[name] = str(folder / f"{name}.py")
    return paths
