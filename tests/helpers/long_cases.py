"""Cases of which the default suite runs some, and `make test-long` all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest


def long_but(cases: Sequence[str], *kept: str) -> list[Any]:
    """The cases, of which all but `kept` are marked as long."""
    assert set(kept) <= set(cases)
    return [case if case in kept else pytest.param(case, marks=pytest.mark.long) for case in cases]


def one_in(number: int, cases: Iterable[Any]) -> list[Any]:
    """The cases, of which all but each `number`-th, from the first on, are marked as long."""
    return [case if index % number == 0 else as_long(case) for index, case in enumerate(cases)]


def as_long(case: Any) -> Any:
    """A case, of one value, of a tuple of values or of `pytest.param`, marked as long."""
    if isinstance(case, type(pytest.param())):
        return pytest.param(*case.values, marks=[*case.marks, pytest.mark.long], id=case.id)
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.long)
