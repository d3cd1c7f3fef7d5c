"""Standard output and error of a process: one that is closed, full or of few letters ends no command.

What a command has measured, written or drawn is on disk whatever becomes of its last lines.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import Any, cast

from advlab.errors import AdvlabError


class UnprintedError(AdvlabError):
    """What a command prints is all that it is for, and could not be printed."""

    exit_code = 1


class LastingStream:
    """A text stream that goes on as the null device once it cannot be written.

    Attributes:
        error: why it could not; None while it can.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write `text`, or nothing where the stream has failed; what was said in the meantime is taken away before."""
        take_back()
        return self.write_only(text)

    def write_only(self, text: str) -> int:
        """As `write`, and leave what was said."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Write what is held back."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.error = self.error or error
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())  # what is held back in the stream, and who else writes there, goes there
        os.close(null)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


#: what stands on the terminal's last line until something is printed
_said: list[str] = []
ERASE = "\r\x1b[K"


def say_meanwhile(text: str) -> None:
    """Show what is being done on a terminal, until something is printed: nothing is heard for seconds while torch is loaded."""
    stream = sys.stderr
    if isinstance(stream, LastingStream) and stream.isatty():
        take_back()
        lasting = os.environ.get("TERM", "dumb") == "dumb"  # where nothing can be erased
        stream.write_only(f"{text} ..." + ("\n" if lasting else ""))
        stream.flush()
        _said[:] = [] if lasting else [text]


def take_back() -> None:
    """Erase what `say_meanwhile` shows."""
    if _said and isinstance(stream := sys.stderr, LastingStream):
        _said.clear()
        stream.write_only(ERASE)
        stream.flush()


def open_missing_streams() -> None:
    """Open the null device in place of each of the standard streams that is closed.

    Otherwise the next file that is opened takes its number, and what is printed lands in it.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # for the life of the process


def make_streams_lasting() -> None:
    """Let standard output and error outlast their reader, their disk and their locale; for a process of our own alone."""
    open_missing_streams()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
            setattr(sys, name, cast("Any", LastingStream(stream)))


def unprinted() -> str:
    """What kept standard output from being written, as a device that is full; empty where nothing did.

    Who closes a pipe has read what they wanted: that is no fault.
    """
    sys.stdout.flush()
    error: OSError | None = getattr(sys.stdout, "error", None)
    if error is None or error.errno == errno.EPIPE:
        return ""
    return f"standard output could not be written ({error.strerror})"


def require_printed() -> None:
    """Flush standard output; called where what was printed is all that a command is for.

    Raises:
        UnprintedError: it could not be written.
    """
    if fault := unprinted():
        raise UnprintedError(f"{fault}: write it to another place")


def flush_streams() -> None:
    """Write what is held back of both streams, which may fail."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def restart_in_utf8(command: Sequence[str]) -> None:
    """Begin the process anew in Python's UTF-8 mode where the locale knows ASCII alone, in which no other name of a file opens.

    Args:
        command: the interpreter with all of its arguments.
    """
    ascii_alone = codecs.lookup(sys.getfilesystemencoding()).name == "ascii"
    if ascii_alone and not sys.flags.utf8_mode and len(command) > 1:
        os.environ["PYTHONUTF8"] = "1"  # of the processes that this one starts
        os.execv(sys.executable, [command[0], "-X", "utf8", *command[1:]])
