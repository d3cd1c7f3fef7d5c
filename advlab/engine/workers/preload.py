"""Loaded by each worker process before it begins: Ctrl-C in the terminal is the runner's alone."""

from __future__ import annotations

import signal
from typing import Any


def dask_setup(_: Any) -> None:
    """Ignore the interrupt of the terminal, which reaches all processes of its group; the runner ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
