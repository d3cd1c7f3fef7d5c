"""Names and links in the run directory of a stranger lead nowhere: nothing outside is touched, and the refusal is one line."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advlab.store.sealed import read_sealed, write_sealed
from tests.helpers.commands import Ended
from tests.helpers.strangers import one_line, unfinished

# names that are read from disk


@pytest.mark.parametrize(
    "name", ["../../victim/data", "../victim/data", "/etc/passwd", "a/b", "..", ".", "", "x" * 300, "a\0b", 5, None]
)
@pytest.mark.parametrize("complete", [True, False], ids=["complete", "unfinished"])
def test_a_cell_named_elsewhere_is_refused(
    name: Any, complete: bool, stranger: Path, cli: Callable[..., Ended]
) -> None:
    plan = read_sealed(stranger / "plan.json")
    write_sealed(stranger / "plan.json", {**plan, "cells": [name, *plan["cells"]]})
    if not complete:
        unfinished(stranger)
    one_line(cli("resume", "run"), 2)


@pytest.mark.parametrize(
    "name", ["../victim/data.csv", "/etc/passwd", "figures/../../victim/log.txt", "figures//x", "a\0b"]
)
def test_a_file_of_the_manifest_elsewhere_is_refused(name: str, stranger: Path, cli: Callable[..., Ended]) -> None:
    manifest = read_sealed(stranger / "manifest.json")
    write_sealed(stranger / "manifest.json", {**manifest, "files": {**manifest["files"], name: "0" * 64}})
    ended = cli("resume", "run")
    one_line(ended, 2)
    assert "names a file" in ended.err


LINKS = {
    "cells": "../victim", "figures": "../victim", "log.txt": "../victim/log.txt", "table.csv": "../victim/data.csv",
    "claims.csv": "../victim/data.csv", "summary.csv": "../victim/data.csv", ".lock": "../victim/log.txt",
    "manifest.json": "../victim/manifest.json", "config.yaml": "../victim/config.yaml", "plan.json": "../victim/plan.json",
}  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("dangling", [False, True], ids=["", "dangling"])
def test_a_link_that_leads_out_is_refused(name: str, dangling: bool, stranger: Path, cli: Callable[..., Ended]) -> None:
    place = stranger / name
    if name == "cells":
        unfinished(stranger)
    shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    place.symlink_to(f"{LINKS[name]}/nothing" if dangling else LINKS[name])
    if name != "manifest.json":
        (stranger / "manifest.json").unlink(missing_ok=True)
    ended = cli("resume", "run")
    one_line(ended, 2)
    one_line(cli("plot", "run"), 0, 2)
    if name == "figures":
        assert "is a link that leads out" in cli("plot", "run").err


def test_a_link_at_a_temporary_name_is_not_followed(stranger: Path, cli: Callable[..., Ended]) -> None:
    unfinished(stranger)
    for name in ("table.csv", "claims.csv", "manifest.json"):
        (stranger / f".{name}.{os.getpid()}.tmp").symlink_to("../victim/data.csv")
    assert cli("resume", "run").code == 0


def test_a_link_inside_the_run_is_taken(stranger: Path, cli: Callable[..., Ended]) -> None:
    (stranger / "cells").rename(stranger / "measured")
    (stranger / "cells").symlink_to("measured")
    assert cli("resume", "run").out.endswith("complete, nothing left to do\n")


@pytest.mark.parametrize("name", ["log.txt", ".lock"])
def test_a_pipe_in_place_of_what_is_opened_is_refused(name: str, stranger: Path, cli: Callable[..., Ended]) -> None:
    unfinished(stranger)
    (stranger / name).unlink(missing_ok=True)
    os.mkfifo(stranger / name)
    ended = cli("resume", "run")
    one_line(ended, 2)
    assert f"{name} is a pipe" in ended.err


def test_a_folder_in_place_of_a_table_is_told(stranger: Path, cli: Callable[..., Ended]) -> None:
    (stranger / "table.csv").unlink()
    (stranger / "table.csv").mkdir()
    ended = cli("resume", "run")
    one_line(ended, 2)
    assert "move away what stands in its place" in ended.err


def test_what_no_cell_keeps_is_passed_over(stranger: Path, cli: Callable[..., Ended]) -> None:
    unfinished(stranger)
    (stranger / "files").mkdir()
    for name in ("a (copy).png", "x" * 250, "two\nlines"):
        (stranger / "files" / name).touch()
    (stranger / "files/link.csv").symlink_to("../../victim/data.csv")
    os.mkfifo(stranger / "files/pipe")
    ended = cli("resume", "run")
    assert ended.code == 0, ended.err
    assert not any(name.startswith("files") for name in read_sealed(stranger / "manifest.json")["files"])
