"""An exclusive lock on a file, which the system frees when the process dies."""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Iterator
from pathlib import Path

from advlab.errors import ResultError
from advlab.store.atomic import StorageError

try:
    import fcntl
except ImportError:  # Windows has no flock: two runs on one directory are then not refused
    fcntl = None  # type: ignore[assignment]  # the name is that of a module


log = logging.getLogger(__name__)

UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # some network file systems have none


@contextlib.contextmanager
def locked(path: Path, *, wait: bool, message: str = "") -> Iterator[None]:
    """Hold an exclusive lock on the file `path` while the block runs; the system frees it when the process dies.

    Args:
        path: the lock file, made when missing.
        wait: whether to wait while another process holds it.
        message: what to say when another process holds it.

    Raises:
        ResultError: with `wait=False`, another process holds it.
        StorageError: the lock file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise StorageError(
            f"{path} could not be opened ({error.strerror or error}): choose a place that can be written "
            "(run.output_root=..., run.cache_root=...)",
            error,
        ) from error
    with file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if not wait:
                    raise ResultError(message or f"{path} is locked by another process") from error
                log.info("%s", message or f"waiting for another process, which holds {path}")
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in UNSUPPORTED:
                    raise StorageError(f"{path} could not be locked ({error.strerror or error})") from error
        yield


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock file `path`; False where there is none, or the system has no locks."""
    if fcntl is None:
        return False
    try:
        with path.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
