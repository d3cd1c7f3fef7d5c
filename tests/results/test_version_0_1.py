"""Runs and artifacts of version 0.1 are read, drawn and resumed.

`version_0_1/` holds what that version left, with `run.cache_root=./artifacts run.output_root=./outputs` and

    NET="model=mlp dataset=digits dataset.size=96 model.input=[1,96,96] model.hidden=[4] recipe=lenet_digits
         recipe.epochs=20 recipe.lr=0.005"
    advlab $NET probe.radii=[0.1,1,10] probe.trials=8 probe.samples=90 probe.confidence=0.5 probe.norm=[l2]
        probe.pixel_scale=[1]
    advlab experiment=hard_points experiment.degree=2 experiment.resolution=60 experiment.draws=1000
    advlab experiment=attack_survey attack=fgv $NET experiment.samples=8

as outputs/ and artifacts/; and as interrupted/ the first of these, killed after one of its two cells.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from advlab import load
from advlab.config import components
from advlab.store.tables import later_columns
from tests.helpers.commands import Ended

VERSION_0_1 = Path(__file__).parent / "version_0_1"
RUNS = {"isotropy/digits-mlp": 270, "hard_points": 256, "attack_survey/digits-mlp": 8}  # and the rows of their tables
FINISHED = Path("outputs/isotropy/digits-mlp/v001")
INTERRUPTED = Path("interrupted/isotropy/digits-mlp/v001")
#: positions of columns that may be renamed: their values are compared, not their names
RENAMED = {9, 10, 11}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy of what version 0.1 left, in the working folder of `cli`."""
    shutil.copytree(VERSION_0_1, tmp_path, dirs_exist_ok=True)
    return tmp_path


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def content(folder: Path) -> dict[str, bytes]:
    """All files of a folder but its locks."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def same_value(a: str, b: str) -> bool:
    """The same text (of True also true), or numbers up to what another processor's order of additions makes of them."""
    try:
        return a.lower() == b.lower() or float(a) == pytest.approx(float(b), rel=1e-9, nan_ok=True)
    except ValueError:
        return False


def same_table(path: Path, expected: Path) -> None:
    (names, *rows), (expected_names, *expected_rows) = rows_of(path), rows_of(expected)
    assert len(names) == len(expected_names)
    for position, (name, wanted) in enumerate(zip(names, expected_names, strict=True)):
        assert name == wanted or position in RENAMED
    assert len(rows) == len(expected_rows)
    for row, wanted_row in zip(rows, expected_rows, strict=True):
        assert all(map(same_value, row, wanted_row)), (row, wanted_row)


def same_claims(run: Path, expected: Path) -> None:
    """The same numbers are judged; today's verdicts are by other intervals."""
    about = ["claim", "subset", "statement", "quantity", "relation", "threshold", "estimate", "samples"]
    old, new = load(expected).claims, load(run).claims
    for column in about:
        assert all(map(same_value, map(str, new[column]), map(str, old[column]))), column
    assert set(old["family"]) == {1}
    assert set(new["family"]) == {1}


@pytest.mark.parametrize("run", RUNS)
def test_a_finished_run_is_read(run: str, old: Path) -> None:
    folder = old / "outputs" / run / "v001"
    loaded = load(folder)
    names, *rows = rows_of(folder / "table.csv")
    row_type = components.REGISTRIES["experiment"].load(run.split("/")[0]).Row
    later = len(later_columns(row_type).keys() - set(names))  # which the tables of that version had not
    assert loaded.table.shape == (RUNS[run], len(names) + later) == (len(rows), len(names) + later)
    assert list(loaded.table.columns) == [field.name for field in dataclasses.fields(row_type)]  # by today's names
    for position in range(len(names)):
        values = loaded.table.iloc[:, position].tolist()
        assert all(same_value(str(value), row[position]) for value, row in zip(values, rows, strict=True))
    names, *rows = rows_of(folder / "claims.csv")
    assert loaded.claims["verdict"].tolist() == [row[names.index("verdict")] for row in rows]
    assert loaded.manifest["status"] == "complete"
    assert loaded.manifest["versions"]["advlab"] == "0.1.0"


@pytest.mark.renders
@pytest.mark.parametrize("run", RUNS)
def test_a_finished_run_is_drawn(run: str, old: Path, cli: Callable[..., Ended]) -> None:
    ended = cli("plot", f"outputs/{run}/v001", "--output", "drawn.png")
    assert ended.code == 0, ended.err
    assert ended.out == "drawn.png\n"
    assert (old / "drawn.png").read_bytes().startswith(b"\x89PNG")
    assert (old / "drawn.png").stat().st_size > 10_000


@pytest.mark.parametrize("run", RUNS)
def test_a_finished_run_is_complete(run: str, old: Path, cli: Callable[..., Ended]) -> None:
    before = content(old / "outputs")
    ended = cli("resume", f"outputs/{run}/v001")
    assert ended.code == 0, ended.err
    assert ended.out == f"outputs/{run}/v001: complete, nothing left to do\n"
    assert content(old / "outputs") == before


def test_an_interrupted_run_is_resumed_without_training_or_sweeping_again(old: Path, cli: Callable[..., Ended]) -> None:
    artifacts = content(old / "artifacts")
    ended = cli("resume", str(INTERRUPTED))
    assert ended.code == 0, ended.err
    assert "1 of 2 cells are measured already" in ended.err
    assert "training" not in ended.err.replace("check data and training", "")  # the clean accuracy is low
    assert content(old / "artifacts") == artifacts
    manifest = json.loads((old / INTERRUPTED / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["status"], manifest["cells_resumed"], manifest["forwards"]) == ("complete", 1, 0)
    same_table(old / INTERRUPTED / "table.csv", VERSION_0_1 / FINISHED / "table.csv")
    same_claims(old / INTERRUPTED, VERSION_0_1 / FINISHED)
    assert len(load(old / INTERRUPTED).table) == RUNS["isotropy/digits-mlp"]


def test_a_lost_cell_of_an_experiment_that_measures_more_today_is_not_mixed_with_it(
    old: Path, cli: Callable[..., Ended]
) -> None:
    run = Path("outputs/hard_points/v001")
    (old / run / "cells" / "gaussian.csv").unlink()
    before = content(old / run / "cells")
    ended = cli("resume", str(run))
    assert ended.code == 2
    assert "another version of the experiment hard_points (1, it is 2 now)" in ended.err
    assert content(old / run / "cells") == before
    same_table(old / run / "table.csv", VERSION_0_1 / run / "table.csv")
