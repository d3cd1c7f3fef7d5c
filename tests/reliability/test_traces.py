"""What a run leaves behind: the manifest, the log, and nothing at all when it is dry."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import advlab
from advlab.engine.provenance import git_state
from advlab.errors import ResultError
from advlab.lab import Cell
from advlab.store.run_directory import RunDirectory
from tests.helpers.run_files import FAMILY, RUN, clean, flip, snapshot
from tests.helpers.run_workshop import Workshop


def test_the_manifest_is_complete(reference: RunDirectory) -> None:
    manifest = reference.manifest()
    assert manifest["status"] == "complete"
    assert manifest["experiment"] == "isotropy"
    assert manifest["config"]["run"]["seed"] == 0
    assert manifest["config"]["probe"]["trials"] == 20
    assert manifest["config"] == reference.plan()["config"] == reference.nodes()
    assert manifest["device"] == "cpu"
    assert manifest["threads"] == 1
    assert {"python", "advlab", "torch", "numpy"} <= manifest["versions"].keys()
    assert all(text and text != "not installed" for text in manifest["versions"].values())
    assert manifest["git"] == {} or (len(manifest["git"]["commit"]) == 40 and type(manifest["git"]["dirty"]) is bool)
    assert len(manifest["digest"]) == len(manifest["dataset"]["digest"]) == len(manifest["model"]["weights"]) == 64
    assert manifest["dataset"]["images"] == 60
    assert manifest["clean_accuracy"]["accuracy"] == 1
    assert 0 < manifest["seconds"] < 600
    assert manifest["peak_memory_bytes"]["host"] > 10**7
    assert (manifest["rows"], manifest["cells"], manifest["cells_resumed"]) == (25 * 2 * 3, 25, 0)
    forwards = 25 * (2 * 3 * 20 + 1) + 2 * 10 * 2 * 20
    assert manifest["forwards"] in (forwards, forwards + 60)  # the clean accuracy may come from the cache
    assert manifest["backwards"] == 0
    assert manifest["batch_halvings"] == []
    assert manifest["nonfinite"]["count"] == 0
    assert manifest["execution"]["batch_size"] == 60
    assert manifest["command"][0] == "advlab"
    assert RUN[1] in manifest["command"]
    assert set(manifest["files"]) == {
        "config.yaml", "plan.json", "table.csv", "claims.csv", "figures/isotropy.png", "figures/isotropy.pdf",
    }  # fmt: skip


def test_the_run_loads_and_its_log_tells_what_happened(reference: RunDirectory) -> None:
    loaded = advlab.load(str(reference.path))
    assert len(loaded.table) == 150
    assert loaded.table["range"].dtype == np.float64
    assert set(loaded.claims["verdict"]) <= {"holds", "does not hold", "undecided", "not measured"}
    log = reference.log_path.read_text()
    assert "clean accuracy of toy on toy_data: 100.00 %" in log
    assert "150 rows in" in log
    with pytest.raises(ResultError, match="Its versions"):
        advlab.load(reference.path.parent)


def test_a_dry_run_writes_nothing(workshop: Workshop, copied: RunDirectory, tmp_path: Path) -> None:
    flip(copied.path / "cells/samples-00001.csv")
    before = snapshot(copied)
    ended = workshop.run(*RUN, "run.dry=true", "run.resume=true", root=tmp_path, ADVLAB_CACHE=tmp_path / "cache")
    assert ended.code == 0, ended.err
    assert "cells      25" in ended.out
    clean(ended.err)
    assert snapshot(copied) == before
    assert len(RunDirectory.versions(tmp_path / FAMILY)) == 1
    assert not (tmp_path / "cache").exists()


def test_the_checkout_is_named() -> None:
    state = git_state()
    has_git = (Path(advlab.__file__).resolve().parents[1] / ".git").exists() and shutil.which("git") is not None
    assert set(state) == ({"commit", "dirty"} if has_git else set())


def test_ids_of_cells_are_file_names() -> None:
    assert Cell("samples-00001.a_b").payload == {}
    for name in ("", "../x", "a/b", ".hidden", "a b", "a\n", "é"):
        with pytest.raises(ValueError, match="id of a cell"):
            Cell(name)
