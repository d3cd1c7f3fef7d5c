"""Progress that suits its reader: a bar on a terminal, a bounded number of plain lines in a file or pipe."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

PLAIN_LINES = 10  # at most so many a task, when standard error is no terminal


class Progress:
    """Counts the steps of one task; use as a context manager, or call `close` at the end.

    Args:
        title: what is being done.
        total: steps.
        done: steps that were done before (a resumed run).
    """

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        self.title, self.total, self.first = title, total, done
        self._bar: Any = None
        self._started = self._shown = time.perf_counter()
        self._lines = 0
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=done, desc=title, leave=False, dynamic_ncols=True)

    def __enter__(self) -> Progress:
        return self

    def update(self, done: int, note: str = "") -> None:
        """Say that `done` steps are done in all."""
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(done - self._bar.n)
            return
        now = time.perf_counter()
        made, wanted = done - self.first, max(1, self.total - self.first)
        # a line each twentieth of the work, but none more often than every five seconds
        line = made * PLAIN_LINES // wanted
        if line > self._lines and now - self._shown >= 5 and done < self.total:
            self._lines, self._shown = line, now
            left = (now - self._started) * (wanted - made) / made
            text = f"{self.title}: {done} of {self.total} ({100 * done // max(1, self.total)} %), {left:.0f} s left"
            print(text + (f", {note}" if note else ""), file=sys.stderr, flush=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
