"""Atomic writes, sealed JSON and file locks: what keeps a killed, racing or bit-flipped run honest."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from advlab.errors import ResultError

try:
    import fcntl
except ImportError:  # Windows has no flock: two runs on one directory are then not refused
    fcntl = None  # type: ignore[assignment]  # the name is that of a module


log = logging.getLogger(__name__)

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # some network file systems have none


class StorageError(ResultError):
    """A file could not be written (full disk, missing rights): what stands is whole, nothing half-written stays."""

    exit_code = 1


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def canonical(value: Any) -> bytes:
    """JSON bytes that depend on the content alone: sorted keys, no spaces, shortest floats."""
    return json_bytes(value, sort_keys=True, separators=(",", ":"))


def json_bytes(value: Any, **options: Any) -> bytes:
    """JSON in UTF-8; what is no Unicode (a file name in another encoding) becomes an escape and reads back the same."""
    return json.dumps(value, ensure_ascii=False, **options).encode("utf-8", "backslashreplace")


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` whole or not at all: temporary file in the same folder, fsync, rename.

    Raises:
        StorageError: the file system refuses; the temporary file is gone.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if not isinstance(error, OSError):
            raise
        raise StorageError(
            f"{path} could not be written ({error.strerror or error}): what is finished is kept; "
            "make room or choose another place (run.output_root=..., run.cache_root=...), then go on with run.resume=true"
        ) from error


def sync_folder(folder: Path) -> None:
    """Flush a folder's entries to the disk, where the system supports it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_sealed(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object that carries the digest of its own content."""
    seal = sha256(canonical(dict(content)))
    write_atomic(path, json_bytes({**content, "seal": seal}, indent=2) + b"\n")


def read_sealed(path: Path) -> dict[str, Any]:
    """Read what `write_sealed` wrote.

    Raises:
        ResultError: the file is missing, is no JSON, or its content does not match its seal.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ResultError(f"{path} is missing") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"{path} is damaged: {error}") from error
    if not isinstance(content, dict) or content.pop("seal", None) != sha256(canonical(content)):
        raise ResultError(f"{path} is damaged: its content does not match its seal")
    return content


def quarantine(path: Path) -> Path:
    """Move a damaged file or folder aside, beside itself, and return where it lies now.

    Raises:
        StorageError: the file system refuses.
    """
    for attempt in range(1, 10_000):
        aside = path.with_name(f"{path.name}.quarantined-{attempt}")
        if not aside.exists():
            try:
                path.rename(aside)
            except FileNotFoundError:  # another process moved it first
                pass
            except OSError as error:
                raise StorageError(
                    f"{path} is damaged and could not be moved aside ({error.strerror or error}): remove it"
                ) from error
            return aside
    raise ResultError(f"{path} has been quarantined 9999 times: the storage below it is not reliable")


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
            "(run.output_root=..., run.cache_root=...)"
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
                if error.errno not in NO_LOCKS:
                    raise StorageError(f"{path} could not be locked ({error.strerror or error})") from error
        yield
