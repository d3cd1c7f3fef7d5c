"""An exclusive lock on a file, by `filelock`: the system's own, which it frees when the process dies.

Where a system or a file system has none, a marker `NAME.held` stands for it, which names its process: another process of the same
machine removes it when that process is over; one of another machine cannot know, and says what to delete.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from advlab.errors import ResultError
from advlab.store.atomic import StorageError

log = logging.getLogger(__name__)

UNSUPPORTED = (
    errno.ENOLCK,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
)  # some network file systems have none, some systems neither
LOCKS_OF_SYSTEM = Path("/proc/locks")  # of Linux: kind, process, and device and inode of the file, a line each


@contextlib.contextmanager
def locked(path: Path, *, wait: bool, message: str = "") -> Iterator[None]:
    """Hold an exclusive lock on the file `path` while the block runs; it is free again when the process dies.

    Args:
        path: the lock file, made when missing.
        wait: whether to wait while another process holds it.
        message: what to say when another process holds it; the process is named behind it, where the system tells.

    Raises:
        ResultError: with `wait=False`, another process holds it.
        StorageError: the lock file cannot be made.
    """
    from filelock import lock_descriptor  # loaded in 20 ms, which what lists or describes need not wait for

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise StorageError(
            f"{path} could not be opened ({error.strerror or error}): choose a place that can be written "
            "(run.output_root=..., run.cache_root=...)",
            error,
        ) from error
    with file, contextlib.ExitStack() as marker:
        try:
            if not lock_descriptor(file.fileno(), blocking=False):
                text = (message or f"{path} is locked by another process") + holder_text(path)
                if not wait:
                    raise ResultError(text)
                log.info("%s", text if message else f"waiting for another process, which holds {path}")
                lock_descriptor(file.fileno())
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise StorageError(f"{path} could not be locked ({error.strerror or error})") from error
            marker.enter_context(marked(path, wait=wait, message=message))
        yield


@contextlib.contextmanager
def marked(path: Path, *, wait: bool, message: str) -> Iterator[None]:
    """Hold the marker that stands for a lock on `path`; as `locked`."""
    from filelock import Timeout  # as above

    marker = marker_of(path)
    try:
        try:
            held = marker.acquire(blocking=False)
        except Timeout as error:
            process = f" (process {marker.pid})" if marker.pid else ""
            text = (message or f"{path} is locked by another process") + process
            if not wait:
                raise ResultError(f"{text}. If that process is over, delete {marker.lock_file}") from error
            log.info("%s", text)
            held = marker.acquire()
    except OSError as error:
        raise StorageError(f"{path} could not be locked ({error.strerror or error})") from error
    with held:
        yield


def marker_of(path: Path) -> Any:
    """The marker that stands for a lock on `path` where there are no locks; a file of its own, since lock files stay."""
    from filelock import SoftFileLock  # as above

    return SoftFileLock(str(path.with_name(f"{path.name}.held")))


def holder_text(path: Path) -> str:
    """` (process 4711)` of the process that holds a lock on the file `path`; empty where the system does not tell."""
    try:
        entry = path.stat()
        lines = LOCKS_OF_SYSTEM.read_text().splitlines()
    except OSError:
        return ""
    file = f"{os.major(entry.st_dev):02x}:{os.minor(entry.st_dev):02x}:{entry.st_ino}"
    holders = [words[4] for line in lines if "->" not in line and len(words := line.split()) > 5 and words[5] == file]
    return f" (process {holders[0]})" if holders else ""


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock file `path`; False where there is none."""
    from filelock import lock_descriptor  # as above

    try:
        try:
            descriptor = os.open(path, os.O_RDWR)  # a network file system locks no file that is open for reading alone
        except PermissionError:
            descriptor = os.open(path, os.O_RDONLY)  # another user's run
    except OSError:
        return False
    try:
        return not lock_descriptor(descriptor, blocking=False)
    except OSError as error:
        return error.errno in UNSUPPORTED and is_marked(path)
    finally:
        os.close(descriptor)


def is_marked(path: Path) -> bool:
    """Whether a living process holds the marker that stands for a lock on `path`."""
    from filelock import Timeout  # as above

    marker = marker_of(path)
    if not os.path.lexists(marker.lock_file):
        return False
    try:
        with marker.acquire(blocking=False):  # which takes it from a process that is over
            return False
    except (Timeout, OSError):
        return True
