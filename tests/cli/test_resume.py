"""`advlab resume` of a run that names other folders: it reads there, and writes to the user's own cache alone."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from advlab.cli.resume import own_roots
from advlab.config.run_options import RunParams
from advlab.store.known_folders import remember_folders
from advlab.store.sealed import read_sealed, write_sealed
from tests.helpers.commands import Ended
from tests.helpers.strangers import ISOTROPY

RUN = Path("outputs/isotropy/digits-lenet/v001")


def begun(run: Path, **options: Any) -> None:
    """Make of a complete run one that was killed before its first cell, whose configuration says these options of `run`."""
    (run / "manifest.json").unlink()
    for path in (run / "cells").glob("*.csv"):
        path.unlink()
    plan = read_sealed(run / "plan.json")
    plan["config"]["run"].update(options)
    write_sealed(run / "plan.json", plan)
    (run / "config.yaml").write_text(yaml.safe_dump(plan["config"], sort_keys=False))


def contents(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADVLAB_CACHE", str(tmp_path / "own"))
    return tmp_path / "own"


def test_a_strangers_cache_is_read_and_not_written_to(own: Path, cli: Callable[..., Ended], tmp_path: Path) -> None:
    assert cli(*ISOTROPY).code == 0
    table = (RUN / "table.csv").read_bytes()
    shutil.move(own, tmp_path / "theirs")
    begun(RUN, cache_root=str(tmp_path / "theirs"), output_root=str(tmp_path / "elsewhere"))
    shutil.rmtree(next((tmp_path / "theirs").glob("predictions")))  # which will be made, somewhere
    before = contents(tmp_path / "theirs")
    ended = cli("resume", str(RUN))
    assert ended.code == 0, ended.err
    assert "theirs of this run is read, and not written to: --cache-root DIR names one" in ended.err
    assert "training" not in ended.err.replace("check data and training", "")
    assert (RUN / "table.csv").read_bytes() == table
    assert contents(tmp_path / "theirs") == before
    assert list(own.glob("predictions/*"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_damaged_artifact_in_a_strangers_cache_stays_there(
    own: Path, cli: Callable[..., Ended], tmp_path: Path
) -> None:
    assert cli(*ISOTROPY).code == 0
    table = (RUN / "table.csv").read_bytes()
    shutil.move(own, tmp_path / "theirs")
    begun(RUN, cache_root=str(tmp_path / "theirs"))
    for path in (tmp_path / "theirs").rglob("arrays.safetensors"):
        path.write_bytes(b"damaged")
    before = contents(tmp_path / "theirs")
    assert cli("resume", str(RUN)).code == 0
    assert (RUN / "table.csv").read_bytes() == table
    assert contents(tmp_path / "theirs") == before


@pytest.mark.parametrize("words", [[], ["--cache-root", "mine"]], ids=["typed before", "typed now"])
def test_the_users_other_cache_is_gone_on_with(
    words: list[str], own: Path, cli: Callable[..., Ended], tmp_path: Path
) -> None:
    assert cli(*ISOTROPY, "run.cache_root=mine").code == 0
    begun(RUN)
    if words:
        shutil.rmtree(own)  # which remembers the folder
    shutil.rmtree(tmp_path / "mine/predictions")
    ended = cli("resume", *words, str(RUN))
    assert ended.code == 0, ended.err
    assert list((tmp_path / "mine/predictions").iterdir())
    assert "is read, and not written to" not in ended.err
    assert not list(own.glob("*/*"))


def test_nothing_is_downloaded_to_where_a_stranger_says(own: Path, tmp_path: Path) -> None:
    default, nothing = RunParams(), {"cache_root": None, "data_root": None}
    assert own_roots({"data_root": "theirs"}, nothing) == {"download": False}
    assert own_roots({"data_root": default.data_root, "cache_root": default.cache_root}, nothing) == {}
    assert own_roots({"cache_root": "theirs"}, nothing) == {"cache_root": default.cache_root}
    assert own_roots({"cache_root": 5, "data_root": []}, nothing) == {
        "cache_root": default.cache_root,
        "download": False,
    }
    assert own_roots({"data_root": "theirs"}, {**nothing, "data_root": "mine"}) == {"data_root": "mine"}
    remember_folders(own, [tmp_path / "known"])
    assert own_roots({"data_root": str(tmp_path / "known"), "cache_root": str(tmp_path / "known")}, nothing) == {}
