"""The log of a run: what it says on standard error also lands, with times, in the run's log.txt."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from logging.handlers import MemoryHandler
from pathlib import Path

logger = logging.getLogger("advlab")


class _Console(logging.Handler):
    """Standard error as it is now: a test or a notebook may have replaced it since the program began."""

    def emit(self, record: logging.LogRecord) -> None:
        mark = "warning: " if record.levelno >= logging.WARNING else ""
        with contextlib.suppress(OSError, ValueError):  # closed, full, or of an encoding without these letters
            print(f"{mark}{record.getMessage()}", file=sys.stderr, flush=True)


class _File(logging.FileHandler):
    """The run's log.txt."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Do nothing: a disk that is full must not hide what the run says on standard error."""


class RunLog:
    """Keeps what was said until the run's directory is known, then writes it and what follows there."""

    def __init__(self) -> None:
        self._memory = MemoryHandler(10_000, flushLevel=logging.CRITICAL + 1)
        self._file: logging.Handler | None = None

    @contextlib.contextmanager
    def active(self) -> Iterator[RunLog]:
        """Collect and show while the block runs."""
        console = _Console(logging.INFO)  # what is less, such as the traceback of a user's error, is for the file alone
        before = logger.level, logger.propagate
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(console)
        logger.addHandler(self._memory)
        try:
            yield self
        finally:
            logger.removeHandler(console)
            logger.removeHandler(self._memory)
            if self._file is not None:
                logger.removeHandler(self._file)
                with contextlib.suppress(OSError):  # a full disk, which has been told
                    self._file.close()
            logger.setLevel(before[0])
            logger.propagate = before[1]

    def write_to(self, path: Path) -> None:
        """Append everything said so far, and from now on, to the file `path`."""
        with contextlib.suppress(OSError):  # a log that cannot be written must not end the run
            self._file = _File(path, encoding="utf-8", errors="backslashreplace")
            self._file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            self._memory.setTarget(self._file)
            self._memory.flush()
            logger.removeHandler(self._memory)
            logger.addHandler(self._file)
