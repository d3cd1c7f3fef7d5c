"""SIGINT and SIGTERM as one exception, held back while a file is being written."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from advlab.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """While active, SIGINT and SIGTERM raise `Interrupted` in the main thread, at once or after the current write."""

    def __init__(self) -> None:
        self._pending: int | None = None
        self._shielded = 0

    @contextlib.contextmanager
    def active(self) -> Iterator[Interrupts]:
        """Handle the signals while the block runs; off the main thread they are left alone."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def shield(self) -> Iterator[None]:
        """Hold a signal back until the block is done."""
        self._shielded += 1
        try:
            yield
        finally:
            self._shielded -= 1
            if not self._shielded and self._pending is not None:
                number, self._pending = self._pending, None
                raise Interrupted(number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._shielded:
            self._pending = number
            return
        raise Interrupted(number)
