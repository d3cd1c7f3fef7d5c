"""Cases of which the default suite runs some, and `make test-long` all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


def long_but(cases: Sequence[str], *kept: str) -> list[Any]:
    """The cases, of which all but `kept` are marked as long."""
    assert set(kept) <= set(cases)
    return [case if case in kept else pytest.param(case, marks=pytest.mark.long) for case in cases]
