"""Cells of a run: written once, and never read when damaged."""

from __future__ import annotations

import math

import pytest

from advlab.errors import ResultError
from advlab.statistics.claims import Claim
from advlab.store.run_directory import RunDirectory
from tests.helpers.rows import ROWS, Row, same_rows


def test_cell_round_trip(run: RunDirectory) -> None:
    assert run.read_cell("a", Row) is None
    run.write_cell("a", ROWS, Row)
    run.write_cell("empty", [], Row)
    again = run.read_cell("a", Row)
    assert again is not None
    same_rows(ROWS, again)
    assert run.read_cell("empty", Row) == []


def test_every_damaged_cell_is_quarantined(run: RunDirectory) -> None:
    rows = [Row("a\n#sha256=", 1, -0.0, True), Row("b", 2, math.nan, False)]
    run.write_cell("a", rows, Row)
    path = run.cell_path("a")
    data = path.read_bytes()
    flips = [(i, bytes([data[i // 8] ^ 1 << i % 8])) for i in range(0, 8 * len(data), 3)]
    damaged = [data[: i // 8] + new + data[i // 8 + 1 :] for i, new in flips]
    damaged += [data[:length] for length in range(len(data))] + [data + b"\n", data + data, b"", b"\x00" * len(data)]
    lines = data.splitlines(keepends=True)
    damaged += [b"".join(lines[:2] + lines[3:]), b"".join([*lines[:-1], lines[-1].replace(b"rows=2", b"rows=1")])]
    for number, content in enumerate(damaged):
        path.write_bytes(content)
        with pytest.raises(ResultError, match=r"does not match its digest; moved to a\.csv\.quarantined-"):
            run.read_cell("a", Row)
        assert not path.exists()
        path.with_name("a.csv.quarantined-1").unlink()
        assert number >= 0
    path.write_bytes(data)
    again = run.read_cell("a", Row)
    assert again is not None
    same_rows(rows, again)


def test_a_cell_that_cannot_be_read(run: RunDirectory) -> None:
    run.cell_path("a").mkdir(parents=True)
    with pytest.raises(ResultError, match="could not be read"):
        run.read_cell("a", Row)


def test_a_cell_of_other_columns_is_refused(run: RunDirectory) -> None:
    run.write_cell("a", [], Row)
    with pytest.raises(ResultError, match="moved"):
        run.read_cell("a", Claim)
