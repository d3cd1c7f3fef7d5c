"""Typed rows and CSV: to the bit, whatever the texts hold, and as data frames."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from advlab.errors import ResultError
from advlab.statistics.claims import Claim, judge
from advlab.statistics.families import simultaneous
from advlab.statistics.intervals import Interval
from advlab.store.atomic import write_atomic
from advlab.store.tables import column_types, from_csv, read_frame, to_csv
from tests.helpers.rows import FLOATS, HOSTILE, ROWS, Row, bits, same_rows


# CSV
def test_csv_round_trip_to_the_bit() -> None:
    text = to_csv(ROWS, Row)
    same_rows(ROWS, from_csv(text, Row))
    assert to_csv(from_csv(text, Row), Row) == text


def test_random_floats_round_trip() -> None:
    random = np.random.default_rng(0).integers(0, 2**64, 3000, dtype=np.uint64).view(np.float64)
    rows = [Row("x", 0, float(value), True) for value in random]
    same_rows(rows, from_csv(to_csv(rows, Row), Row))


@pytest.mark.parametrize("text", HOSTILE)
def test_one_hostile_text_in_a_table_of_its_own(text: str) -> None:
    @dataclass
    class One:
        only: str

    assert from_csv(to_csv([One(text), One("end")], One), One) == [One(text), One("end")]


def test_csv_is_what_other_readers_take() -> None:
    """The standard library's reader, strict, sees the same texts."""
    lines = list(csv.reader(io.StringIO(to_csv(ROWS, Row)), strict=True))
    assert lines[0] == ["name", "count", "value", "flag"]
    assert [line[0] for line in lines[1:]] == HOSTILE


def test_values_are_written_as_their_fields_type() -> None:
    """Otherwise a table collected from cells would differ from one collected from memory."""
    # the types are wrong on purpose
    odd = Row("x", np.int64(3), 2, np.bool_(True))  # type: ignore[arg-type]
    single = Row("x", True, np.float32(0.1), 1)  # type: ignore[arg-type]
    text = to_csv([odd, single], Row)
    assert text == f"name,count,value,flag\nx,3,2.0,True\nx,1,{float(np.float32(0.1))!r},True\n"
    assert to_csv(from_csv(text, Row), Row) == text
    with pytest.raises(TypeError):
        to_csv([Row("x", 2.5, 0.0, True)], Row)  # type: ignore[arg-type]


def test_a_column_of_another_type_is_refused() -> None:
    @dataclass
    class Odd:
        maybe: int | None

    with pytest.raises(TypeError, match=r"Odd\.maybe: a column is int, float, bool or str"):
        to_csv([], Odd)


def test_text_that_is_no_unicode_is_still_a_table() -> None:
    text = to_csv([Row(b"\xffx".decode("utf-8", "surrogateescape"), 0, 0.0, True)], Row)
    assert to_csv(from_csv(text, Row), Row) == text
    assert text.encode()


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "name,count,value\n", "count,name,value,flag\n", "name,count,value,flag,more\n",
        "name,count,value,flag\nx,1,2.0\n", "name,count,value,flag\nx,1.5,2.0,True\n", "name,count,value,flag\nx,1,two,True\n",
        "name,count,value,flag\nx,1,2.0,yes\n", "name,count,value,flag\nx,1,2.0,True,\n", 'name,count,value,flag\n"x,1,2.0,True\n',
        "name,count,value,flag\nx\r,1,2.0,True\n", 'name,count,value,flag\n"x"y,1,2.0,True\n', "name,count,value,flag\n\n",
    ],
)  # fmt: skip
def test_what_is_no_table_of_these_rows_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        from_csv(text, Row)


def test_formulas_are_escaped_on_request_only() -> None:
    rows = [Row(text, -1, -1.0, True) for text in ("=cmd|x", "+1", "-1", "@a", "\tx", "\rx", "\nx", "a=b", "'", "")]
    assert [row.name for row in from_csv(to_csv(rows, Row), Row)] == [row.name for row in rows]
    escaped = from_csv(to_csv(rows, Row, escape=True), Row)
    wanted = ["'=cmd|x", "'+1", "'-1", "'@a", "'\tx", "'\rx", "'\nx", "a=b", "'", ""]
    assert [row.name for row in escaped] == wanted
    assert {(row.count, row.value) for row in escaped} == {(-1, -1.0)}  # numbers are no formulas


def test_claims_round_trip() -> None:
    judged = judge("c", Interval(0.5, math.nan, 1.0, 3), ">", 0.1, subset="=x", statement='"a", b', quantity="q")
    (claim,) = simultaneous([judged])
    again = from_csv(to_csv([claim], Claim), Claim)[0]
    assert repr(again) == repr(claim)


def test_frames_hold_floats_to_the_bit(tmp_path: Path) -> None:
    rows = [Row(text, i, FLOATS[i % len(FLOATS)], i % 2 == 0) for i, text in enumerate(HOSTILE) if "\x00" not in text]
    path = tmp_path / "table.csv"
    write_atomic(path, to_csv(rows, Row).encode())
    frame = read_frame(path)
    assert frame["name"].tolist() == [row.name for row in rows]
    assert frame["count"].tolist() == [row.count for row in rows]
    assert frame["flag"].tolist() == [row.flag for row in rows]
    assert [bits(value) for value in frame["value"]] == [bits(row.value) for row in rows]


@dataclass(frozen=True)
class Renamed:
    former_columns: ClassVar[dict[str, str]] = {"old": "new"}
    new: str
    count: int


def test_a_table_with_former_names_is_read_and_written_by_todays(tmp_path: Path) -> None:
    assert list(column_types(Renamed)) == ["new", "count"]
    rows = from_csv("old,count\n007,2\n", Renamed)
    assert rows == [Renamed("007", 2)] == from_csv("new,count\n007,2\n", Renamed)
    assert to_csv(rows, Renamed) == "new,count\n007,2\n"
    path = tmp_path / "table.csv"
    for header in ("old", "new"):
        path.write_text(f"{header},count\n007,2\n")
        frame = read_frame(path, Renamed)
        assert frame.to_dict("records") == [{"new": "007", "count": 2}]
    path.write_text("old,count\n7,2\n")
    assert read_frame(path, Renamed)["new"].tolist() == ["7"]  # text by the type of the new name
    for text in ("older,count\n7,2\n", "count,old\n2,7\n", "old,new,count\n7,7,2\n"):
        with pytest.raises(ValueError, match="columns"):
            from_csv(text, Renamed)


@dataclass(frozen=True)
class Grown:
    old: str
    count: int
    later: float = 0.25
    last: int = -1


def test_a_column_that_came_later_has_its_default_in_tables_without_it(tmp_path: Path) -> None:
    assert from_csv("old,count\na,2\n", Grown) == [Grown("a", 2, 0.25, -1)]
    assert from_csv("old,count,later\na,2,0.5\n", Grown) == [Grown("a", 2, 0.5, -1)]
    assert from_csv(to_csv([Grown("a", 2, 0.5, 3)], Grown), Grown) == [Grown("a", 2, 0.5, 3)]
    path = tmp_path / "table.csv"
    path.write_text("old,count\na,2\n")
    assert read_frame(path, Grown).to_dict("records") == [{"old": "a", "count": 2, "later": 0.25, "last": -1}]
    for text in ("old,later\na,2\n", "old,later,count\na,2,2\n", "old,count,later,other\na,2,2,2\n"):
        with pytest.raises(ValueError, match="columns"):
            from_csv(text, Grown)


def test_names_of_digits_stay_text(tmp_path: Path) -> None:
    rows = [Row(text, 1, 0.5, True) for text in ("00000", "00025", "007")]
    path = tmp_path / "table.csv"
    write_atomic(path, to_csv(rows, Row).encode())
    assert read_frame(path)["name"].tolist() == ["00000", "00025", "007"]


def test_the_type_of_the_rows_says_what_is_text(tmp_path: Path) -> None:
    """Names that look like numbers, flags or nothing stay what they are; without the type only some can be told."""
    names = ["1", "-2", "True", "nan", "1e5", "", "inf", "007"]
    path = tmp_path / "table.csv"
    for name in names:
        rows = [Row(name, 2, 1.0, False)] * 2
        write_atomic(path, to_csv(rows, Row).encode())
        frame = read_frame(path, Row)
        assert frame["name"].tolist() == [name] * 2
        assert [str(frame[column].dtype) for column in ("count", "value", "flag")] == ["int64", "float64", "bool"]
        told = read_frame(path)["name"].tolist()
        assert (told == [name] * 2) == (name in ("", "007"))


def test_columns_of_numbers_are_numbers_without_a_type(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b,c,d,e,f\n1,0.5,True,1,x,1\n-2,nan,False,1e-05,1,1_0\n0,-inf,True,+2,2,3\n")
    frame = read_frame(path)
    assert [frame[column].dtype.kind for column in "abcd"] == ["i", "f", "b", "f"]
    assert frame["d"].tolist() == [1.0, 1e-05, 2.0]
    assert frame["e"].tolist() == ["x", "1", "2"]
    assert frame["f"].tolist() == ["1", "1_0", "3"]


def test_a_table_without_rows_has_the_types_of_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(to_csv([], Row))
    frame = read_frame(path, Row)
    assert len(frame) == 0
    assert [frame[column].dtype.kind for column in ("count", "value", "flag")] == ["i", "f", "b"]
    assert len(read_frame(path)) == 0


def test_frames_of_no_table(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="missing"):
        read_frame(tmp_path / "table.csv")
    for content in (b"", b"\xff\xfe\x00", b'a,b\n1,2\n"3'):
        (tmp_path / "table.csv").write_bytes(content)
        with pytest.raises(ResultError, match="no CSV table"):
            read_frame(tmp_path / "table.csv")
