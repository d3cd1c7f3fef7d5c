"""Atomic writes: a file is written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from advlab.errors import ResultError

#: a place that cannot be written to, however much room there is: another user's, or a name that cannot be
BAD_PLACES = (
    errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EEXIST,
)  # fmt: skip


class StorageError(ResultError):
    """A file could not be written (full disk, missing rights): what stands is whole, nothing half-written stays."""

    exit_code = 1

    def __init__(self, message: str, cause: BaseException | None = None) -> None:
        super().__init__(message)
        if getattr(cause, "errno", None) in BAD_PLACES:
            self.exit_code = 2


def write_atomic(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write `data` to `path` whole or not at all: temporary file in the same folder, fsync, rename.

    Args:
        path: of the file.
        data: its content.
        sync: whether the folder is flushed as well; otherwise whoever calls does so (`sync_folder`), once for many files. Until
            then a power cut may take the file away, but not a part of it.

    Raises:
        StorageError: the file system refuses; the temporary file is gone.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)  # of a process that was killed, or a link that somebody put there
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        if sync:
            sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        remedy = "make room or choose another place (run.output_root=..., run.cache_root=...)"
        if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
            remedy = "move away what stands in its place"
        raise StorageError(
            f"{path} could not be written ({error.strerror or error}): what is finished is kept; {remedy}, then go on with "
            "run.resume=true",
            error,
        ) from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, where the system supports it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
