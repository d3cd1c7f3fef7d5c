"""A program on a terminal of its own: what a user at the keyboard sees."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path


class Terminal:
    """A program whose standard streams are a terminal.

    Attributes:
        seen: all that it has written, escape sequences among it.
    """

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], columns: int = 80) -> None:
        self.seen = ""
        self._read = 0
        self.process, self._file = pty.fork()
        if self.process == 0:
            os.chdir(cwd)
            os.execvpe(command[0], list(command), dict(env))
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._file, text.encode())

    def until(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """Read until something matches, behind what matched before."""
        end = time.monotonic() + seconds
        while not (found := re.compile(pattern, re.DOTALL).search(self.seen, self._read)):
            assert time.monotonic() < end, f"{pattern!r} was not written: {self.seen[self._read :]!r}"
            if not self._more(0.2):
                raise AssertionError(f"{pattern!r} was not written before the end: {self.seen[self._read :]!r}")
        self._read = found.end()
        return found

    def ended(self) -> int:
        """Read to the end; gives the exit code."""
        while self._more(60):
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def _more(self, seconds: float) -> bool:
        """Read what has come; False at the end."""
        if not select.select([self._file], [], [], seconds)[0]:
            return True
        try:
            part = os.read(self._file, 65536)
        except OSError:  # as Linux says that the other side is closed
            part = b""
        self.seen += part.decode(errors="replace")
        return bool(part)

    def close(self) -> None:
        """End the program."""
        os.close(self._file)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)


@contextlib.contextmanager
def terminal(command: Sequence[str], *, cwd: Path, columns: int = 80, **env: str) -> Iterator[Terminal]:
    """A program on a terminal while the block runs, in the environment of the tests but for what `env` says."""
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in ("NO_COLOR", "COLUMNS", "LINES", "PYTEST_CURRENT_TEST")
    }
    opened = Terminal(command, cwd=cwd, env={**own, "TERM": "xterm-256color", **env}, columns=columns)
    try:
        yield opened
    finally:
        opened.close()


def advlab_on_path(folder: Path) -> str:
    """A search path on which `advlab` is the one under test."""
    folder.mkdir(exist_ok=True)
    script = folder / "advlab"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m advlab "$@"\n')
    script.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
