"""The rows of one cell as a CSV file whose last lines hold digests, its own and those of the files kept beside it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from advlab.errors import ResultError
from advlab.store.atomic import write_atomic
from advlab.store.bounded import TooLarge, read_bounded
from advlab.store.run_layout import RunLayout
from advlab.store.sealed import quarantine, sha256, sha256_file
from advlab.store.tables import from_csv, to_csv

LAST_LINE = re.compile(rb"#sha256=([0-9a-f]{64}) rows=(\d+)(?: files=(\d+))?\n\Z")
KEPT_FILE = re.compile(rb"#file=(.+) sha256=([0-9a-f]{64})\n")  # a line for each, before the last one


def write_cell(
    run: RunLayout, cell_id: str, rows: Sequence[Any], row_type: type, files: Mapping[str, bytes], *, sync: bool = True
) -> None:
    """Write the files that one cell keeps (name -> content), then its rows, which say that it is finished.

    Args:
        run: its directory.
        cell_id: of the cell.
        rows: instances of `row_type`.
        row_type: a dataclass.
        files: of the folder `files`.
        sync: whether the folder of the cells is flushed as well (`write_atomic`).
    """
    for name, content in files.items():
        write_atomic(run.kept_file(name), content)
    kept = "".join(f"#file={name} sha256={sha256(content)}\n" for name, content in files.items())
    table, count = (to_csv(rows, row_type) + kept).encode(), f" files={len(files)}" if files else ""
    write_atomic(
        run.cell_path(cell_id), table + f"#sha256={sha256(table)} rows={len(rows)}{count}\n".encode(), sync=sync
    )


def read_cell(run: RunLayout, cell_id: str, row_type: type) -> list[Any] | None:
    """The rows of a finished cell, None when there is no such file.

    Raises:
        ResultError: the file cannot be read, or does not match its digest and has been moved aside; or a file that the cell
            keeps is missing or damaged.
    """
    path = run.cell_path(cell_id)
    try:
        content = read_bounded(path)
    except FileNotFoundError:
        return None
    except (OSError, TooLarge) as error:
        raise ResultError(f"{path} could not be read ({getattr(error, 'strerror', None) or error})") from error
    last_line = LAST_LINE.search(content)
    if last_line is not None and sha256(content[: last_line.start()]) == last_line[1].decode():
        with contextlib.suppress(ValueError):
            lines = content[: last_line.start()].splitlines(keepends=True)
            table = lines[: len(lines) - int(last_line[3] or 0)]
            rows = from_csv(b"".join(table).decode(), row_type)
            if len(rows) == int(last_line[2]):
                check_kept_files(run, cell_id, lines[len(table) :])
                return rows
    raise ResultError(f"{path} does not match its digest; moved to {quarantine(path).name}")


def check_kept_files(run: RunLayout, cell_id: str, lines: Sequence[bytes]) -> None:
    """Check the files that a cell keeps against their digests, which may be a stranger's as the names.

    Args:
        run: its directory.
        cell_id: of the cell.
        lines: of its file, one a kept file.

    Raises:
        ValueError: a line names none.
        ResultError: one is missing or damaged, or its name leads out of the directory.
    """
    for line in lines:
        found = KEPT_FILE.fullmatch(line)
        if found is None:
            raise ValueError(f"{line!r} names no file")
        path = run.kept_file(found[1].decode())
        try:
            intact = path.is_file() and sha256_file(path) == found[2].decode()
        except OSError:
            intact = False
        if not intact:
            raise ResultError(f"{path}, which the cell {cell_id} keeps, is missing or damaged")
