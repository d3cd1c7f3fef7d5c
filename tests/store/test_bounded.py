"""What a stranger's file may hold is looked at before it is expanded; names and links do not lead out of a run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from advlab.errors import ResultError
from advlab.store.atomic import StorageError, write_atomic
from advlab.store.bounded import (
    DEEPEST,
    LARGEST_YAML,
    MOST_NODES,
    TooLarge,
    check_yaml,
    read_bounded,
    read_json,
    read_yaml,
)
from advlab.store.known_folders import is_remembered, remember_folders
from advlab.store.names import is_plain_name
from advlab.store.plan_shape import has_manifest_shape, has_plan_shape
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import read_sealed
from advlab.store.tables import read_frame
from tests.helpers.rows import ROWS, Row

PLAN: dict[str, Any] = {
    "digest": "d", "experiment": "isotropy", "config": {}, "cells": ["a"], "prepared": {}, "device": "cpu", "job": "",
    "execution": {"batch_size": 8, "memory_format": "contiguous", "precision": "float32"}, "weights": "", "data": "",
    "versions": {"attack": 2}, "stages": {"begin": "0" * 64}, "behaviour": [],
}  # fmt: skip


def expanded(value: Any) -> int:
    """Values of a tree, counted one by one."""
    parts = list(value.values()) + list(value) if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + sum(map(expanded, parts))


def doubled(levels: int) -> str:
    lines = "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, levels))
    return f"a0: &a0 [x]\n{lines}"


def test_aliases_are_counted_as_they_expand(monkeypatch: pytest.MonkeyPatch) -> None:
    for levels in range(1, 10):
        size = expanded(yaml.safe_load(doubled(levels)))
        monkeypatch.setattr("advlab.store.bounded.MOST_NODES", size)
        check_yaml(doubled(levels))
        monkeypatch.setattr("advlab.store.bounded.MOST_NODES", size - 1)
        with pytest.raises(TooLarge):
            check_yaml(doubled(levels))


@pytest.mark.parametrize(
    "text",
    [
        doubled(1000), "a: &a {b: *a}", "&a [[*a]]", "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "{a: " * 10_000,
        "[" + "1," * MOST_NODES + "1]", "x" * (LARGEST_YAML + 1),
    ],
    ids=["aliases", "in itself", "deep in itself", "depth", "open", "values", "length"],
)  # fmt: skip
def test_yaml_beyond_the_bounds_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        check_yaml(text)
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(TooLarge):
        read_yaml(tmp_path / "config.yaml")


def test_yaml_within_the_bounds_is_read(tmp_path: Path) -> None:
    text = "a: &a {b: [1, 2]}\nc: {<<: *a, d: *a}\n" + "e: " + "[" * (DEEPEST - 2) + "]" * (DEEPEST - 2)
    (tmp_path / "config.yaml").write_text(text)
    assert read_yaml(tmp_path / "config.yaml") == yaml.safe_load(text)


@pytest.mark.parametrize("levels", [DEEPEST + 1, 500, 100_000])
def test_json_beyond_the_bounds_is_damaged(levels: int, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("[" * DEEPEST + "]" * DEEPEST)
    assert json.dumps(read_json(path)) == path.read_text()
    path.write_text('{"a": ' * levels + "1" + "}" * levels)
    with pytest.raises(ResultError, match="damaged"):
        read_sealed(path)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(TooLarge, match="no regular file"):
            read_bounded(path)
        with pytest.raises(ResultError):
            read_frame(path)
    (tmp_path / "large").write_bytes(b"x" * 11)
    with pytest.raises(TooLarge, match="11 bytes, at most 10"):
        read_bounded(tmp_path / "large", 10)


def test_a_field_that_is_too_long_is_damage(run: RunDirectory) -> None:
    run.write_cell("a", ROWS[:2], Row)
    text = "x" * 200_000
    write_atomic(run.cell_path("b"), run.cell_path("a").read_bytes().replace(ROWS[0].name.encode(), text.encode(), 1))
    with pytest.raises(ResultError, match="does not match its digest"):
        run.read_cell("b", Row)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "/etc", "a\\b", "a\0", "a\n", "x" * 201, "é", None, 5, [], {}, "..x", "a:b", " a"],
)
def test_names_that_are_none_of_a_file(name: Any, run: RunDirectory) -> None:
    assert not is_plain_name(name)
    with pytest.raises(ResultError, match="names a file"):
        run.inside(name if isinstance(name, str) and len(name) < 200 else "x" * 400)
    assert not has_plan_shape({**PLAN, "cells": ["a", name]})


def test_names_that_are_one(run: RunDirectory) -> None:
    for name in ("a", "samples-00001", ".lock", "a..b", "1.csv", "x" * 200):
        assert is_plain_name(name)
        assert run.inside(name) == run.path / name


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("execution", {"batch_size": "8"}), ("execution", {**PLAN["execution"], "batch_size": 0}),
        ("execution", {**PLAN["execution"], "batch_size": True}), ("execution", {**PLAN["execution"], "memory_format": []}),
        ("execution", {**PLAN["execution"], "precision": "float8"}), ("stages", {"a": 5}), ("versions", {"a": "2"}),
        ("versions", {"a": 2.5}), ("prepared", {"attack_versions": 5}), ("prepared", {"attack_versions": {"a": []}}),
    ],
)  # fmt: skip
def test_facts_of_a_wrong_kind_in_a_plan(key: str, value: Any) -> None:
    assert has_plan_shape(PLAN)
    assert not has_plan_shape({**PLAN, key: value})


def test_facts_of_a_wrong_kind_in_a_manifest() -> None:
    assert has_manifest_shape(
        {"status": "complete", "files": {"table.csv": "0"}, "attacked": {"images": 2, "seconds": 0.5}}
    )
    wrongs: list[dict[str, Any]] = [
        {"files": []},
        {"files": {"a": 5}},
        {"attacked": {"images": "x"}},
        {"config": []},
        {"status": None},
    ]
    for wrong in wrongs:
        assert not has_manifest_shape(wrong)


def test_a_link_at_the_temporary_name_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (tmp_path / f".a.{os.getpid()}.tmp").symlink_to("victim")
    write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "victim").read_text() == "kept"
    assert (tmp_path / "a").read_bytes() == b"new"
    assert not (tmp_path / "a").is_symlink()


def test_a_place_that_cannot_be_is_bad_input_and_a_full_disk_is_not() -> None:
    assert StorageError("x", OSError(28, "No space left on device")).exit_code == 1
    assert StorageError("x", PermissionError(13, "Permission denied")).exit_code == 2
    assert StorageError("x").exit_code == 1


def test_folders_that_were_typed_are_remembered(tmp_path: Path) -> None:
    cache, typed = tmp_path / "cache", tmp_path / "typed"
    assert not is_remembered(cache, typed)
    remember_folders(cache, [typed])
    remember_folders(cache, [typed, tmp_path / "other"])
    assert is_remembered(cache, typed / ".." / "typed")
    assert not is_remembered(cache, tmp_path)
    assert not is_remembered(cache, None)
    assert len((cache / "typed-folders.txt").read_text().splitlines()) == 2
    (tmp_path / "file").touch()
    remember_folders(tmp_path / "file", [typed])  # which is no error
    assert not is_remembered(tmp_path / "cache", Path("a\0b"))
