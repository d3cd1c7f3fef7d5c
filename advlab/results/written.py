"""A file that the user has named by --output."""

from __future__ import annotations

from pathlib import Path

from advlab.errors import ConfigError
from advlab.store.atomic import StorageError, write_atomic


def check_absent(path: Path) -> None:
    """Refuse a file that is there already; a device or a pipe may be.

    Raises:
        ConfigError: says what to type.
    """
    if path.is_file():
        raise ConfigError(f"--output {path} is there already: type --overwrite, or name another file")


def write_text(path: Path, text: str) -> None:
    """Write a text; see `write_bytes`."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; into what is no file, such as /dev/stdout or a pipe, as it is.

    A link stays one: the file that it points to is written.

    Raises:
        ConfigError: the path names no file.
        StorageError: it could not be written.
    """
    try:
        target = path.resolve()
        if path.name in ("", "..") or target.is_dir():
            raise ConfigError(f"--output {path} names no file: type the name of one")
        if target.exists() and not target.is_file():  # a rename would put a file in the place of the device
            with target.open("wb") as file:
                file.write(data)
        else:
            write_atomic(target, data)
    except (OSError, RuntimeError, StorageError) as error:  # RuntimeError: links that lead round, up to Python 3.12
        cause = error.__cause__ or error
        reason = getattr(cause, "strerror", None) or cause
        raise StorageError(f"--output {path}: it could not be written ({reason}): name another file", cause) from cause
