"""A finished run: what loads, and what damage or change is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import yaml

from advlab import load
from advlab.errors import ResultError
from advlab.statistics.claims import Claim, judge
from advlab.statistics.intervals import Interval
from advlab.store.atomic import write_atomic
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import write_sealed
from advlab.store.tables import to_csv
from tests.helpers.rows import ROWS, Row

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
