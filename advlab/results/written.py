"""A file that the user has named by --output."""

from __future__ import annotations

from pathlib import Path

from advlab.errors import ConfigError
from advlab.store.atomic import StorageError, write_atomic


def write_text(path: Path, text: str) -> None:
    """Write a text whole or not at all; into what is no file, such as /dev/stdout or a pipe, as it is.

    A link stays one: the file that it points to is written.

    Raises:
        ConfigError: the path names no file.
        StorageError: it could not be written.
    """
    data = text.encode("utf-8", "backslashreplace")
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
