"""Cells of a run: written once, and never read when damaged."""

from __future__ import annotations

import math

import pytest

from advlab.errors import ResultError
from advlab.statistics.claims import Claim
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import sha256
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


FILES = {"a.png": b"a picture\n", "b.safetensors": b""}


@pytest.mark.parametrize(
    "rows", [ROWS, [], [Row("x\n#file=a.png sha256=" + "0" * 64, 1, 0.5, True)]], ids=["", "empty", "odd"]
)
def test_a_cell_with_files_round_trip(rows: list[Row], run: RunDirectory) -> None:
    run.write_cell("a", rows, Row, FILES)
    again = run.read_cell("a", Row)
    assert again is not None
    same_rows(rows, again)
    assert {path.name: path.read_bytes() for path in run.kept_files()} == FILES


@pytest.mark.parametrize("how", ["flipped", "cut", "gone", "a folder"])
def test_a_damaged_file_of_a_cell_is_told(how: str, run: RunDirectory) -> None:
    run.write_cell("a", ROWS, Row, FILES)
    run.write_cell("b", ROWS, Row)
    path = run.kept_file("a.png")
    path.unlink()
    if how == "a folder":
        path.mkdir()
    elif how != "gone":
        path.write_bytes(b"A picture\n" if how == "flipped" else b"a pict")
    with pytest.raises(ResultError, match=r"a\.png, which the cell a keeps, is missing or damaged"):
        run.read_cell("a", Row)
    assert run.read_cell("b", Row) is not None
    assert run.cell_path("a").exists()


def test_a_file_of_a_cell_elsewhere_is_refused(run: RunDirectory) -> None:
    (run.path.parent / "secret").write_bytes(b"x")
    run.write_cell("a", [], Row, {"b": b"x"})
    lines = run.cell_path("a").read_bytes().splitlines(keepends=True)
    table = b"".join(lines[:-1]).replace(b"#file=b ", b"#file=../../secret ")
    run.cell_path("a").write_bytes(table + f"#sha256={sha256(table)} rows=0 files=1\n".encode())
    with pytest.raises(ResultError, match="which no run has"):
        run.read_cell("a", Row)
