"""SIGINT, SIGTERM and SIGHUP as one exception, held back while a file is being written, and no more once all is written."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from advlab.errors import Interrupted

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def handled_signals() -> list[signal.Signals]:
    """The signals that end a process here; SIGHUP not where it is ignored, as `nohup` does."""
    return [number for number in SIGNALS if number.name != "SIGHUP" or signal.getsignal(number) != signal.SIG_IGN]


def ignore_signals() -> None:
    """Ignore them from now on, in a process that is about to end."""
    if threading.current_thread() is threading.main_thread():
        for number in handled_signals():
            signal.signal(number, signal.SIG_IGN)


class Interrupts:
    """While active, these signals raise `Interrupted` in the main thread, at once or after the current write.

    Attributes:
        after_completion: the number of a signal that arrived when all was written, 0 if none did.
    """

    def __init__(self) -> None:
        self._pending: int | None = None
        self._raised: int | None = (
            None  # as long as the run goes on, it was ignored: Python does so in finalizers and callbacks
        )
        self._shielded = 0
        self._complete = self._speaking = False
        self.after_completion = 0

    @contextlib.contextmanager
    def active(self) -> Iterator[Interrupts]:
        """Handle the signals while the block runs; off the main thread they are left alone."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._handle) for number in handled_signals()}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def shield(self) -> Iterator[None]:
        """Hold a signal back until the block is done; one that has arrived before and was ignored is raised then, too."""
        self._shielded += 1
        try:
            yield
        finally:
            self._shielded -= 1
            number = self._raised if self._pending is None else self._pending
            if not self._shielded and number is not None:
                self._pending = None
                self._arrived(number)

    def complete(self) -> None:
        """Note that all is on disk: from now on a signal cuts short what `speak` prints, and does nothing else."""
        self._complete = True

    def speak(self, say: Callable[[], None]) -> None:
        """Call what prints the last lines, after `complete`, until a signal arrives.

        A stream that cannot be written is no failure of what was written before.
        """
        if self.after_completion:
            return
        try:
            self._speaking = True
            with contextlib.suppress(OSError, ValueError):
                say()
            self._speaking = False
        except Interrupted:
            pass

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._shielded:
            self._pending = number
        else:
            self._arrived(number)

    def _arrived(self, number: int) -> None:
        speaking, self._speaking = self._speaking, False
        if self._complete:
            self.after_completion = number
            if not speaking:
                return
        self._raised = number
        raise Interrupted(number)


@contextlib.contextmanager
def ends_of_programs_are_defects() -> Iterator[None]:
    """Turn what code of a run may raise to end the program (`sys.exit()`, GeneratorExit) into a defect of that code.

    Otherwise a run that is not complete could end with exit code 0 and without a word. Ctrl-C is none of these: while a run is
    carried out it is `Interrupted`.

    Raises:
        RuntimeError: in place of it.
    """
    try:
        yield
    except (Exception, Interrupted):
        raise
    except BaseException as error:
        raise RuntimeError(f"the code of this run raised {type(error).__name__}, which ends programs") from error
