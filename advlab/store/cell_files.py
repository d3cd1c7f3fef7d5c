"""The rows of one cell as a CSV file whose last line holds their digest and number, so that damage is seen."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from advlab.errors import ResultError
from advlab.store.atomic import write_atomic
from advlab.store.bounded import TooLarge, read_bounded
from advlab.store.sealed import quarantine, sha256
from advlab.store.tables import from_csv, to_csv

LAST_LINE = re.compile(rb"#sha256=([0-9a-f]{64}) rows=(\d+)\n\Z")


def write_cell_file(path: Path, rows: Sequence[Any], row_type: type) -> None:
    """Write the rows of one cell, instances of `row_type`."""
    table = to_csv(rows, row_type).encode()
    write_atomic(path, table + f"#sha256={sha256(table)} rows={len(rows)}\n".encode())


def read_cell_file(path: Path, row_type: type) -> list[Any] | None:
    """The rows of a finished cell, None when there is no such file.

    Raises:
        ResultError: the file cannot be read, or does not match its digest and has been moved aside.
    """
    try:
        content = read_bounded(path)
    except FileNotFoundError:
        return None
    except (OSError, TooLarge) as error:
        raise ResultError(f"{path} could not be read ({getattr(error, 'strerror', None) or error})") from error
    last_line = LAST_LINE.search(content)
    if last_line is not None:
        table = content[: last_line.start()]
        if sha256(table) == last_line[1].decode():
            with contextlib.suppress(ValueError):
                rows = from_csv(table.decode(), row_type)
                if len(rows) == int(last_line[2]):
                    return rows
    raise ResultError(f"{path} does not match its digest; moved to {quarantine(path).name}")
