"""Progress that suits its reader: a bar on a terminal or in a notebook, a bounded number of plain lines in a file or pipe."""

from __future__ import annotations

import contextlib
import html
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

PLAIN_LINES = 10  # at most so many for one task, when standard error is no terminal
SECONDS_BETWEEN_LINES = 5
SECONDS_BETWEEN_ESTIMATES = 0.1  # on a terminal
SECONDS_BETWEEN_DRAWINGS = 0.5  # in a notebook
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt}{postfix}"  # its own estimate knows nothing of stages


Listener = Callable[[str, int, int, float], None]  # title, steps done, steps in all, seconds left
_listeners: list[Listener] = []


@contextlib.contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """While the block runs, hand all progress of this process to a listener, which shows it in place of bars and lines."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, whose cells show what is displayed."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class NotebookBar:
    """A bar in a notebook's cell, which is drawn anew in its place; it needs no widgets. As `tqdm`, as far as `Progress` asks.

    Args:
        total: number of steps.
        initial: steps that are done.
        title: what is being done.
    """

    def __init__(self, total: int, initial: int, title: str) -> None:
        from IPython.display import display  # which is there in a notebook

        self.n, self._total, self._title, self._note = initial, total, title, ""
        self._drawn = time.perf_counter()
        self._handle = display(self, display_id=True)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """The bar for a browser, and the same as a line of text."""
        said = f"{self.n} of {self._total}" + (f", {self._note}" if self._note else "")
        bar = f'<progress value="{self.n}" max="{max(1, self._total)}"></progress>'
        text = f"{html.escape(self._title)} {bar} {html.escape(said)}"
        return {"text/plain": f"{self._title}: {said}", "text/html": f"<div>{text}</div>"}

    def set_postfix_str(self, note: str, refresh: bool = True) -> None:
        """What stands behind the numbers from now on."""
        self._note = note

    def update(self, steps: int) -> None:
        """So many steps more are done."""
        self.n += steps
        if time.perf_counter() - self._drawn >= SECONDS_BETWEEN_DRAWINGS:
            self._draw()

    def close(self) -> None:
        """Leave how far it has come."""
        self._note = ""
        self._draw()

    def _draw(self) -> None:
        self._drawn = time.perf_counter()
        self._handle.update(self)


class Progress:
    """Counts the steps of one task; use as a context manager, or call `close` at the end.

    Args:
        title: what is being done.
        total: number of steps.
        done: steps that were done before (a resumed run).
    """

    def __init__(self, title: str, total: int, done: int = 0) -> None:
        self.title, self.total, self.first = title, total, done
        self._bar: Any = None
        self._started = self._last_line = time.perf_counter()
        self._lines = 0
        if _listeners:
            return
        if in_notebook():
            self._bar = NotebookBar(total, done, title)
        elif sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm  # slow to import, and needed on a terminal only

            self._bar = tqdm(total=total, initial=done, desc=title, leave=False, dynamic_ncols=True, bar_format=BAR)

    def __enter__(self) -> Progress:
        return self

    def update(self, done: int, note: str = "", seconds_left: Callable[[], float] | None = None) -> None:
        """Say that `done` steps are done in all.

        Args:
            done: steps.
            note: shown behind.
            seconds_left: gives what the other steps will take; by default each as long as those that were made here.
        """
        now = time.perf_counter()
        steps_made, steps_to_make = done - self.first, max(1, self.total - self.first)
        left = seconds_left or (lambda: (now - self._started) * (steps_to_make - steps_made) / max(1, steps_made))
        if _listeners:
            _listeners[-1](self.title, done, self.total, left())
            return
        if self._bar is not None:
            if now - self._last_line >= SECONDS_BETWEEN_ESTIMATES:
                self._last_line = now
                self._bar.set_postfix_str(f"{left():.0f} s left" + (f", {note}" if note else ""), refresh=False)
            self._bar.update(done - self._bar.n)
            return
        # one line for each tenth of the work, and never two within five seconds
        line = steps_made * PLAIN_LINES // steps_to_make
        if line > self._lines and now - self._last_line >= SECONDS_BETWEEN_LINES and done < self.total:
            self._lines, self._last_line = line, now
            text = f"{self.title}: {done} of {self.total} ({100 * done // max(1, self.total)} %), {left():.0f} s left"
            with contextlib.suppress(OSError, ValueError):  # a closed or full standard error stops no work
                print(text + (f", {note}" if note else ""), file=sys.stderr, flush=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


class TaskProgress:
    """Shows one task after the other, whatever their number: called as `report_progress(title, done, total)`.

    A task begins with the first call that names it and ends when all of its steps are done or another task begins.
    """

    def __init__(self) -> None:
        self._task: Progress | None = None

    def __call__(self, title: str, done: int, total: int) -> None:
        """Say that `done` of `total` steps of the task `title` are done."""
        if self._task is None or (self._task.title, self._task.total) != (title, total):
            self.close()
            self._task = Progress(title, total)
        self._task.update(done)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Take the current task's bar away, whether the task was finished or not."""
        if self._task is not None:
            self._task.close()
            self._task = None
