"""How far a run on workers has come, in a file of the run that `advlab status` reads from another terminal."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Mapping, Sequence

from advlab.store.atomic import StorageError, write_atomic
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import json_bytes


class Status:
    """Writes `status.json` of a run while it is under way.

    Args:
        directory: of the run.
        total: cells of the run.
    """

    def __init__(self, directory: RunDirectory, total: int) -> None:
        self._path, self._total, self._started = directory.status_path, total, time.time()
        self._first: int | None = None

    def write(
        self, done: int, in_work: Mapping[str, Sequence[str]], workers: Sequence[str], lost: int, seconds_left: float
    ) -> None:
        """Say how far the run has come; a full disk, which what is measured will meet as well, is no matter here.

        Args:
            done: cells that are measured.
            in_work: name of a worker -> the units that it has.
            workers: names of those that are there.
            lost: how many were lost.
            seconds_left: what the rest will take.
        """
        self._first = done if self._first is None else self._first
        now = time.time()
        content = {
            "process": os.getpid(), "host": platform.node(), "time": now, "seconds": now - self._started,
            "done": done, "total": self._total, "cells_a_second": (done - self._first) / max(1e-9, now - self._started),
            "seconds_left": seconds_left, "workers": list(workers), "lost": lost,
            "in_work": {name: list(units) for name, units in in_work.items()},
        }  # fmt: skip
        with contextlib.suppress(StorageError):
            write_atomic(self._path, json_bytes(content))

    def close(self) -> None:
        """Take the file away: from now on the manifest says how the run has ended."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
