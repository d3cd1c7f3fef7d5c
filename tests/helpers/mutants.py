"""Mutants: a function of the package with one expression exchanged, to show that a test notices."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def mutated(function: Callable[..., Any], old: str, new: str) -> Iterator[None]:
    """Within it, `function` runs with the text `old`, which it has exactly once, replaced by `new`; whoever imported it.

    Args:
        function: of a module or a class, without free variables.
    """
    plain: Any = inspect.unwrap(function)
    source = textwrap.dedent(inspect.getsource(plain))
    assert source.count(old) == 1, f"{plain.__qualname__} has {old!r} {source.count(old)} times"
    made: dict[str, Any] = {}
    exec("from __future__ import annotations\n" + source.replace(old, new), dict(plain.__globals__), made)
    code = plain.__code__
    plain.__code__ = inspect.unwrap(made[plain.__name__]).__code__
    try:
        yield
    finally:
        plain.__code__ = code
