"""Run directories: CSV to the bit, versions, sealed cells and manifests, and what damage does to each kind of file."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import multiprocessing
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from advlab import load
from advlab.claims import Claim, judge
from advlab.errors import ResultError
from advlab.metrics.intervals import Interval
from advlab.results import RunDirectory, run_label, safe_name
from advlab.storage import StorageError, write_atomic, write_sealed
from advlab.tables import from_csv, read_frame, to_csv

FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Row:
    """A line of the test's table."""

    name: str
    count: int
    value: float
    flag: bool


HOSTILE = [
    "plain", "", " ", "a,b", 'say "hi"', '"', '""', "two\nlines", "carriage\rreturn", "both\r\n", "\n", "\r", "=cmd|' /C calc'!A0",
    "+1", "-1", "@SUM(A1)", "\tx", "nan", "NA", "None", "true", "1e5", "007", "ü", "日本語", "🙂", "\u2028", "\x00", "\ufeff", "#x",
    "<img onerror=alert(1)>", "a" * 10_000, "'quoted'", ";", "\\", "\\n", "\x85",
]  # fmt: skip
FLOATS = [
    0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, math.pi, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e16, 1e22,
    math.nan, math.inf, -math.inf, np.nextafter(1, 2), 1e-9, float(np.float32(0.1)),
]  # fmt: skip


def bits(value: float) -> bytes:
    return b"nan" if math.isnan(value) else struct.pack("<d", value)


def same(a: list[Any], b: list[Any]) -> None:
    assert len(a) == len(b)
    for left, right in zip(a, b, strict=True):
        assert (left.name, left.count, left.flag) == (right.name, right.count, right.flag)
        assert type(right.count) is int
        assert type(right.flag) is bool
        assert bits(left.value) == bits(right.value)


ROWS = [Row(text, i - 3, FLOATS[i % len(FLOATS)], i % 2 == 0) for i, text in enumerate(HOSTILE)]


# CSV


def test_csv_round_trip_to_the_bit() -> None:
    text = to_csv(ROWS, Row)
    same(ROWS, from_csv(text, Row))
    assert to_csv(from_csv(text, Row), Row) == text


def test_random_floats_round_trip() -> None:
    random = np.random.default_rng(0).integers(0, 2**64, 3000, dtype=np.uint64).view(np.float64)
    rows = [Row("x", 0, float(value), True) for value in random]
    same(rows, from_csv(to_csv(rows, Row), Row))


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
    claim = judge("c", Interval(0.5, math.nan, 1.0, 3), ">", 0.1, subset="=x", statement='"a", b', quantity="q")
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


def test_names_of_digits_stay_text(tmp_path: Path) -> None:
    rows = [Row(text, 1, 0.5, True) for text in ("00000", "00025", "007")]
    path = tmp_path / "table.csv"
    write_atomic(path, to_csv(rows, Row).encode())
    assert read_frame(path)["name"].tolist() == ["00000", "00025", "007"]


def test_frames_of_no_table(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="missing"):
        read_frame(tmp_path / "table.csv")
    for content in (b"", b"\xff\xfe\x00", b'a,b\n1,2\n"3'):
        (tmp_path / "table.csv").write_bytes(content)
        with pytest.raises(ResultError, match="no CSV table"):
            read_frame(tmp_path / "table.csv")


# cells


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path / "isotropy" / "digits-lenet")


def test_cell_round_trip(run: RunDirectory) -> None:
    assert run.read_cell("a", Row) is None
    run.write_cell("a", ROWS, Row)
    run.write_cell("empty", [], Row)
    again = run.read_cell("a", Row)
    assert again is not None
    same(ROWS, again)
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
    same(rows, again)


def test_a_cell_that_cannot_be_read(run: RunDirectory) -> None:
    run.cell_path("a").mkdir(parents=True)
    with pytest.raises(ResultError, match="could not be read"):
        run.read_cell("a", Row)


def test_a_cell_of_other_columns_is_refused(run: RunDirectory) -> None:
    run.write_cell("a", [], Row)
    with pytest.raises(ResultError, match="moved"):
        run.read_cell("a", Claim)


# versions


def take(family: Path, barrier: Any, results: Any) -> None:
    barrier.wait()
    results.put(RunDirectory.create(family).path.name)


def test_processes_started_together_get_a_version_each(tmp_path: Path) -> None:
    count = 16
    barrier, results = FORK.Barrier(count), FORK.SimpleQueue()
    racers = [FORK.Process(target=take, args=(tmp_path / "new" / "family", barrier, results)) for _ in range(count)]
    for racer in racers:
        racer.start()
    names = [results.get() for _ in racers]
    for racer in racers:
        racer.join()
    assert sorted(names) == [f"v{number:03d}" for number in range(1, count + 1)]


def test_versions_sort_as_numbers_and_skip_what_is_none(tmp_path: Path) -> None:
    for name in ("v999", "v1000", "v002", "v1", "vx01", "figures", ".v003", "v004.quarantined-1"):
        (tmp_path / name).mkdir()
    (tmp_path / "v005").write_text("")
    assert [version.path.name for version in RunDirectory.versions(tmp_path)] == ["v002", "v999", "v1000"]
    assert RunDirectory.create(tmp_path).path.name == "v1001"
    assert RunDirectory.versions(tmp_path / "none") == []


def test_version_where_nothing_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"run\.output_root"):
        RunDirectory.create(tmp_path / "file" / "family")


def test_hostile_names_stay_inside_of_the_output_folder(tmp_path: Path) -> None:
    for name in ("..", ".", "/", "../../etc", "a/b", "", "~", "con\n", "x" * 300, "日本", ".hidden", "-rf"):
        safe = safe_name(name)
        assert safe not in ("", ".", "..")
        assert "/" not in safe
        assert len(safe) <= 80
        nodes = {"experiment": {"name": name}, "dataset": {"name": name, "label": name}, "model": {"name": name}}
        family = RunDirectory.family(tmp_path, nodes)
        assert family.resolve().relative_to(tmp_path.resolve()).parts
        assert run_label(nodes) is not None
    nodes = {"experiment": {"name": "e"}, "dataset": {"name": "none"}, "model": {"name": "none"}}
    assert RunDirectory.family(tmp_path, nodes) == tmp_path / "e"


def test_opening_what_is_no_run_lists_its_versions(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no run directory"):
        RunDirectory.open(tmp_path / "nothing")
    version = RunDirectory.create(tmp_path)
    with pytest.raises(ResultError, match=f"Its versions: {version.path}"):
        RunDirectory.open(tmp_path)


def test_lock_removes_what_a_killed_process_left_half_written(run: RunDirectory) -> None:
    run.write_cell("a", [], Row)
    for leftover in (run.path / ".plan.json.123.tmp", run.path / "cells" / ".b.csv.77.tmp"):
        leftover.write_text("half")
    kept = run.path / ".mine.tmp"
    kept.write_text("")
    with run.lock():
        assert sorted(path.name for path in run.path.rglob("*") if path.is_file()) == [".lock", ".mine.tmp", "a.csv"]


# a finished run

NODES = {
    "dataset": {"name": "digits"}, "model": {"name": "lenet"}, "experiment": {"name": "isotropy", "small": 0.01},
    "run": {"seed": 0, "output_root": "./ü"},
}  # fmt: skip
PLAN = {
    "digest": "d", "experiment": "isotropy", "config": NODES, "cells": ["a"], "prepared": {}, "device": "cpu", "job": "",
    "execution": {}, "weights": "", "data": "",
}  # fmt: skip
CLAIM = judge("c", Interval(0.5, 0.4, 0.6, 12), ">", 0.1, subset="s", statement="said", quantity="q")


@pytest.fixture
def finished(run: RunDirectory) -> RunDirectory:
    write_atomic(run.config_path, yaml.safe_dump(NODES, allow_unicode=True).encode())
    write_sealed(run.plan_path, PLAN)
    run.write_cell("a", ROWS[:5], Row)
    write_atomic(run.table_path, to_csv(ROWS[:5], Row).encode())
    write_atomic(run.claims_path, to_csv([CLAIM], Claim).encode())
    figure = run.figure_path("isotropy", "png")
    write_atomic(figure, b"figure")
    files = [run.config_path, run.plan_path, run.table_path, run.claims_path, figure]
    run.write_manifest({"status": "complete", "rows": 5}, files)
    return run


def test_load_gives_table_claims_and_manifest(finished: RunDirectory) -> None:
    loaded = load(finished.path)
    assert loaded.path == finished.path
    assert loaded.table["name"].tolist() == [row.name for row in ROWS[:5]]
    assert loaded.claims["verdict"].tolist() == ["holds"]
    assert loaded.manifest["rows"] == 5
    assert finished.finished()
    assert finished.damaged() == []
    assert finished.nodes() == NODES


def flip(path: Path, at: float = 0.5) -> None:
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 1
    path.write_bytes(data)


def test_a_flipped_bit_anywhere_in_the_manifest_or_plan(finished: RunDirectory) -> None:
    for path, read in ((finished.manifest_path, finished.manifest), (finished.plan_path, finished.plan)):
        whole, data = read(), path.read_bytes()
        for position in range(0, len(data) * 8, 13):
            flipped = bytearray(data)
            flipped[position // 8] ^= 1 << position % 8
            path.write_bytes(flipped)
            with contextlib.suppress(ResultError):
                assert read() == whole
        path.write_bytes(data)


@pytest.mark.parametrize("name", ["table.csv", "claims.csv"])
def test_load_refuses_what_does_not_match_the_manifest(name: str, finished: RunDirectory) -> None:
    flip(finished.path / name)
    assert finished.damaged() == [name]
    with pytest.raises(ResultError, match=f"{name} does not match its manifest.*advlab resume"):
        load(finished.path)


@pytest.mark.parametrize("name", ["config.yaml", "plan.json", "table.csv", "claims.csv", "figures/isotropy.png"])
def test_damage_and_loss_are_listed(name: str, finished: RunDirectory) -> None:
    data = (finished.path / name).read_bytes()
    flip(finished.path / name, 0.99)
    assert finished.damaged() == [name]
    (finished.path / name).unlink()
    assert finished.damaged() == [name]
    (finished.path / name).write_bytes(data)
    assert finished.damaged() == []


def test_load_refuses_unfinished_runs(finished: RunDirectory, tmp_path: Path) -> None:
    manifest = finished.manifest_path.read_bytes()
    finished.manifest_path.unlink()
    with pytest.raises(ResultError, match="is not finished: go on with `advlab resume"):
        load(finished.path)
    for status in ("interrupted", "failed"):
        finished.write_manifest({"status": status}, [])
        assert not finished.finished()
        with pytest.raises(ResultError, match=f"is {status}: go on with `advlab resume"):
            load(finished.path)
    finished.manifest_path.write_bytes(manifest[:-20])
    assert finished.damaged() == ["manifest.json"]
    with pytest.raises(ResultError, match="damaged"):
        load(finished.path)
    with pytest.raises(ResultError, match="no run directory"):
        load(tmp_path / "nothing")


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "a: b", "{", "run: {seed: 1", "\t", "dataset: {name: digits}", "? [a]\n: b",
        "!!python/object/apply:os.system [id]",
        "run: !!binary aaaa", "a: &a [*a]", "\x00", "run: {seed: 2021-01-01}",
    ],
)  # fmt: skip
def test_a_changed_configuration_is_refused(text: str, finished: RunDirectory) -> None:
    finished.config_path.write_text(text)
    with pytest.raises(ResultError, match=r"config\.yaml (does not match|is missing|is damaged).*run\.resume=true"):
        finished.nodes()


def test_any_key_changed_in_the_configuration_is_refused(finished: RunDirectory) -> None:
    text = finished.config_path.read_text(encoding="utf-8")
    for before, after in (("0.01", "0.02"), ("lenet", "1enet"), ("seed", "need"), ("./ü", "./u")):
        assert before in text
        finished.config_path.write_text(text.replace(before, after), encoding="utf-8")
        with pytest.raises(ResultError, match="does not match plan"):
            finished.nodes()
    finished.config_path.write_text(f"# a comment changes nothing\n{text}", encoding="utf-8")
    assert finished.nodes() == NODES


def test_a_plan_of_another_version_is_refused(finished: RunDirectory) -> None:
    write_sealed(finished.plan_path, {key: value for key, value in PLAN.items() if key != "cells"})
    with pytest.raises(ResultError, match="another version of advlab"):
        finished.plan()


def test_redrawn_figures_are_noted(finished: RunDirectory) -> None:
    figure = finished.figure_path("isotropy", "png")
    write_atomic(figure, b"drawn again")
    assert finished.damaged() == ["figures/isotropy.png"]
    finished.renew_digests([figure])
    assert finished.damaged() == []
    assert finished.finished()
