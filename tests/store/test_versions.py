"""Versions of a run: taken atomically, found in order, with names that stay inside of the output folder."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from advlab.errors import ResultError
from advlab.store.atomic import StorageError
from advlab.store.names import run_label, safe_name
from advlab.store.run_directory import RunDirectory
from advlab.store.run_versions import versions_folder
from tests.helpers.rows import Row

FORK = multiprocessing.get_context("fork")


def take(folder: Path, barrier: Any, results: Any) -> None:
    barrier.wait()
    results.put(RunDirectory.create(folder).path.name)


def test_processes_started_together_get_a_version_each(tmp_path: Path) -> None:
    count = 16
    barrier, results = FORK.Barrier(count), FORK.SimpleQueue()
    racers = [FORK.Process(target=take, args=(tmp_path / "new" / "versions", barrier, results)) for _ in range(count)]
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
        RunDirectory.create(tmp_path / "file" / "versions")


def test_hostile_names_stay_inside_of_the_output_folder(tmp_path: Path) -> None:
    for name in ("..", ".", "/", "../../etc", "a/b", "", "~", "con\n", "x" * 300, "日本", ".hidden", "-rf"):
        safe = safe_name(name)
        assert safe not in ("", ".", "..")
        assert "/" not in safe
        assert len(safe) <= 80
        nodes = {"experiment": {"name": name}, "dataset": {"name": name, "label": name}, "model": {"name": name}}
        folder = versions_folder(tmp_path, nodes)
        assert folder.resolve().relative_to(tmp_path.resolve()).parts
        assert run_label(nodes) is not None
    nodes = {"experiment": {"name": "e"}, "dataset": {"name": "none"}, "model": {"name": "none"}}
    assert versions_folder(tmp_path, nodes) == tmp_path / "e"


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
