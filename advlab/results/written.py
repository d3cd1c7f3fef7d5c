"""A file that the user has named by --output."""

from __future__ import annotations

from pathlib import Path

from advlab.errors import ConfigError
from advlab.store.atomic import StorageError, write_atomic


def write_text(path: Path, text: str) -> None:
    """Write a text whole or not at all.

    Raises:
        ConfigError: the path names no file.
        StorageError: it could not be written.
    """
    if path.name in ("", "..") or path.is_dir():
        raise ConfigError(f"--output {path} names no file: type the name of one")
    try:
        write_atomic(path, text.encode("utf-8", "backslashreplace"))
    except StorageError as error:
        cause = error.__cause__
        reason = getattr(cause, "strerror", None) or cause
        raise StorageError(f"--output {path}: it could not be written ({reason}): name another file", cause) from cause
