"""When Python looks for cyclic garbage: not while it imports, draws or ends, which would be a fifth of a short command's time.

What is imported stays: torch alone makes half a million objects, which Python by itself looks through again and again while they
are made, and once more when the process ends.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

_held = [False]


def hold() -> None:
    """Look for no garbage until `settle`; for a process of our own, which begins to import."""
    _held[0] = gc.isenabled()
    gc.disable()


def settle() -> None:
    """Look for garbage again, but not among what is there now; nothing in a process that has not called `hold`."""
    if _held[0]:
        _held[0] = False
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Look for no garbage while the block runs, which imports or draws; what there is before and after it is looked at."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def leave() -> None:
    """Look no more at anything: the process ends, and gives its memory back as a whole."""
    settle()
    gc.freeze()
