"""The examples of the checkout: as words of a command line, and loaded into this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from advlab.plugins.loading import load_plugins

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


@pytest.fixture
def plugin() -> Callable[..., list[str]]:
    """The beginning of a command line that knows some examples, by the names of their files."""
    return lambda *names: [word for name in names for word in ("--plugin", str(EXAMPLES / f"{name}.py"))]


@pytest.fixture
def loaded() -> Callable[[str], list[str]]:
    """Register what an example holds until the test ends."""
    return lambda name: load_plugins([str(EXAMPLES / f"{name}.py")])
