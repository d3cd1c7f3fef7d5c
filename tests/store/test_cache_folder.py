"""The cache as a folder: what is listed, what is damaged, what is removed, and what is never touched.

Longer than other files: all tests build on one cache of few artifacts.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from advlab.store.artifacts import ArtifactStore
from advlab.store.cache_folder import Entry, entries, fault_of, remove
from advlab.store.locks import locked
from tests.helpers.commands import Ended

FORK = multiprocessing.get_context("fork")


def stored(root: Path, kind: str, number: int) -> Path:
    """An artifact of the cache, of some bytes for its number."""
    store = ArtifactStore(root)
    store.get(kind, {"number": number}, lambda: ({"a": np.arange(100 * number)}, {"said": (1, 2)}))
    return store.folder(kind, {"number": number})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "cache"
    for number in (1, 2, 3):
        stored(root, "weights", number)
    stored(root, "predictions", 1)
    (root / "typed-folders.txt").write_text("/x\n")
    return root


def by_form(root: Path, *kinds: str) -> dict[str, int]:
    forms = [entry.form for entry in entries(root, kinds)]
    return {form: forms.count(form) for form in forms}


def test_entries_have_kind_form_and_size(root: Path) -> None:
    found = entries(root)
    assert [entry.kind for entry in found] == ["predictions", "weights", "weights", "weights"]
    for entry in found:
        assert entry.bytes == sum(path.stat().st_size for path in entry.path.iterdir())
        assert abs(entry.made - time.time()) < 3600
    assert by_form(root, "weights") == {"artifact": 3}
    assert entries(root / "nothing") == []


def test_what_is_beside_artifacts_is_told_apart_and_strangers_are_left_out(root: Path) -> None:
    key = "0" * 32
    for name in (
        f".unfinished-{key}",
        f".making-{key}-x_1",
        f".removing-{key}-1_2",
        f"{key}.quarantined-1",
        "mine",
        key[1:],
    ):
        (root / "weights" / name).mkdir()
    assert by_form(root, "weights") == {"leftover": 2, "unfinished": 1, "artifact": 3, "quarantined": 1}


def links(root: Path, outside: Path) -> None:
    """A kind, an artifact and a lock that are links to the outside."""
    stored(outside, "secret", 1)
    (root / "secret").symlink_to(outside / "secret")
    (root / "weights" / ("1" * 32)).symlink_to(outside / "secret")
    (root / "predictions" / f".{entries(root, ['predictions'])[0].key}.lock").unlink()
    (root / "predictions" / f".{entries(root, ['predictions'])[0].key}.lock").symlink_to(outside / "made")


def test_no_link_is_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    links(root, outside)
    before = sorted(outside.rglob("*"))
    found = entries(root)
    assert {entry.kind for entry in found} == {"weights", "predictions"}
    assert len(found) == 4
    assert [remove(entry) for entry in found] == [False, True, True, True]  # whose lock is a link
    assert sorted(outside.rglob("*")) == before
    assert (root / "typed-folders.txt").is_file()


def test_a_link_inside_an_artifact_is_removed_and_what_it_points_to_stays(root: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    entry = entries(root, ["predictions"])[0]
    (entry.path / "link").symlink_to(precious)
    assert remove(entry)
    assert (precious / "file").read_text() == "x"
    assert not entry.path.exists()


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda path: flip(path / "arrays.safetensors"), "does not match its digest"),
        (lambda path: (path / "arrays.safetensors").unlink(), "arrays.safetensors is missing"),
        (lambda path: (path / "facts.json").write_text("{}"), "does not match its seal"),
        (lambda path: (path / "facts.json").unlink(), "facts.json is missing"),
        (lambda path: path.rename(path.with_name("2" * 32)), "another key"),
        (lambda path: link_to_itself(path / "arrays.safetensors"), "is no regular file"),
    ],
)
def test_damage_is_named(root: Path, damage: Callable[[Path], Any], fault: str) -> None:
    assert not any(map(fault_of, entries(root)))
    damage(entries(root, ["predictions"])[0].path)
    (entry,) = entries(root, ["predictions"])
    assert fault in fault_of(entry)
    assert not any(map(fault_of, entries(root, ["weights"])))


def link_to_itself(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def hold(lock: Path, held: Any, release: Any) -> None:
    with locked(lock, wait=True):
        held.set()
        release.wait(60)


def test_what_a_run_is_making_stays(root: Path) -> None:
    entry = entries(root, ["predictions"])[0]
    checkpoints = entry.path.with_name(f".unfinished-{entry.key}")
    checkpoints.mkdir()
    held, release = FORK.Event(), FORK.Event()
    process = FORK.Process(target=hold, args=(entry.lock, held, release))
    process.start()
    try:
        assert held.wait(60)
        assert not any(map(remove, entries(root, ["predictions"])))
        assert by_form(root, "predictions") == {"artifact": 1, "unfinished": 1}
    finally:
        release.set()
        process.join()
    assert all(map(remove, entries(root, ["predictions"])))
    assert by_form(root, "predictions") == {}


def test_what_was_removed_is_made_again(root: Path) -> None:
    store, made = ArtifactStore(root), []

    def make() -> tuple[Any, Any]:
        made.append(1)
        return {"a": np.arange(3)}, {}

    assert not store.get("weights", {"number": 1}, make).fresh
    assert all(map(remove, entries(root, ["weights"])))
    assert store.get("weights", {"number": 1}, make).fresh
    assert made == [1]
    gone = Entry("weights", "3" * 32, "artifact", root / "weights" / ("3" * 32), 0, 0.0)
    assert remove(gone)
    assert fault_of(gone) == ""


def test_an_artifact_that_vanishes_while_it_is_read_is_a_miss(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore(root)
    folder = store.folder("weights", {"number": 1})

    def vanish(path: Path) -> Any:
        remove(next(entry for entry in entries(root) if entry.path == folder))
        raise FileNotFoundError(path)

    monkeypatch.setattr("advlab.store.artifacts.load_file", vanish)
    assert store.find("weights", {"number": 1}) is None
    assert by_form(root, "weights") == {"artifact": 2}


def test_the_command_line(root: Path, cli: Callable[..., Ended]) -> None:
    where = ["--cache-root", str(root)]
    listed = cli("cache", *where)
    assert (listed.code, listed.err) == (0, "")
    lines = [line.split() for line in listed.out.splitlines()]
    assert lines[0] == [str(root)]
    assert lines[2][:2] == ["predictions", "1"]
    assert lines[3][:2] == ["weights", "3"]
    assert lines[4][:2] == ["all", "4"]
    assert cli("cache", *where, "list", "weights").out.count("weights") == 1
    assert cli("cache", *where, "verify").code == 0
    old = entries(root, ["weights"])[1].path
    os.utime(old, (0, 0))
    dry = cli("cache", *where, "clean", "weights", "--older-than", "30d", "--dry-run")
    assert (dry.code, dry.out.count("\n")) == (0, 2)
    assert str(old) in dry.out
    assert old.is_dir()
    asked = cli("cache", *where, "clean", "weights", "--older-than", "30d")
    assert asked.code == 2
    assert "would remove 1 folders" in asked.err
    assert "--yes" in asked.err
    assert cli("cache", *where, "clean", "weights", "--older-than", "30d", "--yes").out.startswith("removed 1 folders")
    assert by_form(root) == {"artifact": 3}
    flip(entries(root, ["predictions"])[0].path / "arrays.safetensors")
    verified = cli("cache", *where, "verify")
    assert verified.code == 1
    assert f"{entries(root, ['predictions'])[0].path}: arrays.safetensors does not match its digest" in verified.out
    assert "2 of 3 artifacts" in verified.out
    assert cli("cache", *where, "clean", "--damaged", "--yes").out == "there is nothing to remove\n"
    assert cli("cache", *where, "clean", "--all", "--yes").code == 0
    assert entries(root) == []


@pytest.mark.parametrize(("answer", "left"), [("n", 3), ("", 3), ("y", 0)])
def test_removing_is_asked_about(
    root: Path, cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert cli("cache", "--cache-root", str(root), "clean", "weights").code == 0
    assert len(entries(root, ["weights"])) == left
