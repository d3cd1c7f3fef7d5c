"""Stages: made once, before the cells that name them, kept for other runs, and never lost to what happens later."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from advlab.engine import units
from advlab.engine.stages import check_stages_differ
from advlab.engine.units import measure_cell, prepared_run, work
from advlab.errors import ResultError
from advlab.lab import Stage
from advlab.store.artifacts import ArtifactStore
from advlab.store.atomic import StorageError
from advlab.store.run_directory import RunDirectory
from tests.helpers.commands import Ended
from tests.helpers.staged import STAGED, STAGED_RUN, log


def test_stages_are_made_when_the_first_cell_needs_them(
    line: list[str], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    ended = cli(*line)
    assert ended.code == 0, ended.err
    assert log(tmp_path) == ["n-0", "begin", "square", "n-1", "n-2"]
    assert (tmp_path / STAGED_RUN / "table.csv").read_text() == "index,value\n0,0.0\n1,16.0\n2,32.0\n"
    plan = json.loads((tmp_path / STAGED_RUN / "plan.json").read_text())
    assert list(plan["stages"]) == ["begin", "square"]


def test_other_runs_share_them_and_another_key_does_not(
    line: list[str], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    assert cli(*line).code == 0
    log(tmp_path)
    assert cli(*line, "experiment.count=2", "run.seed=1").code == 0
    assert log(tmp_path) == ["n-0", "n-1"]
    assert cli(*line, "experiment.start=3").code == 0
    assert log(tmp_path) == ["n-0", "begin", "square", "n-1", "n-2"]  # the second's key holds the first's
    assert "1,36.0" in (tmp_path / "outputs/staged/v003/table.csv").read_text()


def test_the_dry_plan_names_them_with_their_cost_and_makes_none(
    line: list[str], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    ended = cli(*line, "run.dry=true")
    assert "stage      begin: 10 forwards, 0 backwards\n" in ended.out
    assert "forwards   11 images\n" in ended.out
    assert "backwards  5 images\n" in ended.out
    assert log(tmp_path) == []
    assert cli(*line).code == 0
    ended = cli(*line, "run.dry=true")
    assert "stage      square: kept from before\n" in ended.out
    assert "forwards   1 images\n" in ended.out


@pytest.mark.parametrize("fault", ["begin", "square", "n-1", "n-2"])
def test_what_was_published_is_not_made_again(
    fault: str, line: list[str], cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends in a stage or a cell keeps the stages and cells before it."""
    monkeypatch.setenv("STAGES_FAULT", fault)
    with pytest.raises(RuntimeError, match="a defect of the author's"):
        cli(*line)
    order = ["n-0", "begin", "square", "n-1", "n-2"]
    assert log(tmp_path) == order[: order.index(fault) + 1]
    text = (tmp_path / STAGED_RUN / "log.txt").read_text()
    assert f"the {'cell' if fault.startswith('n-') else 'stage'} {fault} failed" in text
    assert 'raise RuntimeError("a defect of the author\'s")' in text  # the traceback
    monkeypatch.delenv("STAGES_FAULT")
    ended = cli("--plugin", line[1], "resume", str(STAGED_RUN))
    assert ended.code == 0, ended.err
    assert log(tmp_path) == order[order.index(fault) :]
    assert (tmp_path / STAGED_RUN / "table.csv").read_text() == "index,value\n0,0.0\n1,16.0\n2,32.0\n"


def test_a_cache_that_cannot_be_written_costs_this_run_nothing(
    line: list[str], cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("no space left")

    monkeypatch.setattr(ArtifactStore, "put", full)
    ended = cli(*line)
    assert ended.code == 0, ended.err
    assert "is not kept for other runs" in ended.err
    assert log(tmp_path) == ["n-0", "begin", "square", "n-1", "n-2"]


def test_a_damaged_stage_is_made_again(line: list[str], cli: Callable[..., Ended], tmp_path: Path) -> None:
    assert cli(*line).code == 0
    (payload,) = (tmp_path / "cache/staged-square").glob("*/arrays.safetensors")
    payload.write_bytes(b"damaged")
    log(tmp_path)
    assert cli(*line, "run.seed=1").code == 0
    assert log(tmp_path) == ["n-0", "square", "n-1", "n-2"]


def test_a_stage_that_only_a_kept_one_needs_is_not_made(
    line: list[str], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    assert cli(*line).code == 0
    shutil.rmtree(tmp_path / "cache/staged-begin")
    log(tmp_path)
    assert "forwards   1 images\n" in cli(*line, "run.dry=true").out
    assert cli(*line, "run.seed=1").code == 0
    assert log(tmp_path) == ["n-0", "n-1", "n-2"]


def test_nothing_of_a_run_is_kept_in_the_process_after_it(line: list[str], cli: Callable[..., Ended]) -> None:
    units._prepared.clear()
    assert cli(*line).code == 0
    assert not units._prepared


CHANGES = {
    'kind="staged-square", stages=("begin",)': 'kind="staged-begin"',  # one kind, and below one key
    "return [Cell": 'return [Cell("x", {}, stages=("squre",))] + [Cell',
    '"mean": self.params.start}': '"mean": np.ones(2)}',
    "np.full(4, self.params.start)}": "[1.0]}",
    "    value: float": "    value: list",
    "range(self.params.count)": "range(0)",
}
FAULTS = {
    "stage key": "the stages 'begin' and 'square' have one kind and one key",
    "stage id": "the cell 'x' needs the stage 'squre'. Did you mean square?",
    "facts": "the stage 'begin': facts must be plain JSON",
    "arrays": "the stage 'begin': values must be a numpy array",
    "row": "Line.value: a column is int, float, bool or str",
    "cells": "there is nothing to measure",
}


@pytest.mark.parametrize(("change", "fault"), zip(CHANGES.items(), FAULTS.values(), strict=True), ids=list(FAULTS))
def test_mistakes_of_an_author_are_named(
    change: tuple[str, str], fault: str, line: list[str], forked: Callable[..., Ended], tmp_path: Path
) -> None:
    old, new = change
    text = STAGED.replace(old, new)
    if "one key" in fault:
        text = text.replace("ctx.key(version=1), square", "ctx.key(version=1, start=self.params.start), square")
    assert text != STAGED
    (tmp_path / "staged.py").write_text(text)
    ended = forked(*line)
    assert ended.code in (1, 2)
    assert fault in ended.err
    if "facts" not in fault and "numpy" not in fault:
        assert log(tmp_path) == []  # before anything is measured


def test_a_function_of_a_loop_is_refused(line: list[str], cli: Callable[..., Ended], tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / STAGED_RUN)
    assert cli(*line).code == 0
    ctx = prepared_run(directory.nodes(), directory.plan()).ctx
    made = [Stage(name, {"name": name}, lambda: ({}, {"name": name}), kind="loop") for name in ("a", "b")]  # noqa: B023
    ctx.stages = {stage.id: stage for stage in made}
    with pytest.raises(ValueError, match=r"'a' and 'b' have one `make`.*functools\.partial"):
        check_stages_differ(ctx)
    ctx.stages = {name: Stage(name, {"name": name}, partial(dict, name=name), kind="loop") for name in ("a", "b")}  # type: ignore[arg-type]
    check_stages_differ(ctx)


def test_a_unit_is_a_function_of_the_archive_and_the_plan_alone(
    line: list[str], cli: Callable[..., Ended], tmp_path: Path
) -> None:
    """What another process would do: no context is handed over."""
    assert cli(*line, "experiment.start=5").code == 0
    directory = RunDirectory(tmp_path / STAGED_RUN)
    nodes, plan = directory.nodes(), directory.plan()
    log(tmp_path)
    (row,) = work(nodes, plan, "cell:n-2").rows
    assert row.value == 2 * 4 * 25
    assert work(nodes, plan, "stage:begin").was_kept
    assert log(tmp_path) == ["n-2"]
    nodes["run"]["cache_root"] = "elsewhere"
    with pytest.raises(ResultError, match="what the stage square made is not in elsewhere"):
        work(nodes, {**plan, "another": "plan"}, "cell:n-2")
    assert work(nodes, {**plan, "another": "plan"}, "stage:square").lacks == ("begin",)
    assert not work(nodes, {**plan, "another": "plan"}, "stage:begin").was_kept
    assert log(tmp_path) == ["begin"]


def test_a_stage_that_is_not_named_is_a_defect(line: list[str], cli: Callable[..., Ended], tmp_path: Path) -> None:
    assert cli(*line).code == 0
    directory = RunDirectory(tmp_path / STAGED_RUN)
    prepared = prepared_run(directory.nodes(), directory.plan())
    measure_cell(prepared, "n-1")
    measure_cell(prepared, "n-0")
    with pytest.raises(LookupError, match="the stage 'square' is not among those that this cell or stage needs"):
        prepared.ctx.stage("square")
