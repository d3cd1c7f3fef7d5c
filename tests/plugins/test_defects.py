"""A defect of an attack's or an experiment's code keeps its traceback; what they refuse is one message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from advlab.config import components
from advlab.store.run_directory import RunDirectory
from tests.helpers.commands import Ended
from tests.helpers.late_faults import DEFECTS, measure
from tests.helpers.plugins import BLOBS, NET, write
from tests.helpers.plugins import EXPERIMENT as SQUARES

ATTACK = """
import advlab
from advlab.errors import ArgumentError

@advlab.attack("shaky")
def shaky(model, x, y, *, refuse: bool = False):
    '''Fails in one way or the other.'''
    return move(x, refuse)

def move(x, refuse):
    if refuse:
        raise ArgumentError("refuse must be false")
    raise ValueError("a bug in the attack")
"""
EXPERIMENT = """
from dataclasses import dataclass
from typing import Annotated
from annotated_types import Ge
import advlab
from advlab.config.ranges import InRange
from advlab.lab import Cell, Cost, Experiment

@dataclass(frozen=True)
class Line:
    index: int

@advlab.experiment
class Broken(Experiment):
    '''Has a bug.'''
    name = "broken"
    paper = "none, figure 0"
    title = "Broken"
    uses = ()
    Row = Line

    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        count: Annotated[int, Ge(1)] = 3  # how many

    def cells(self, ctx):
        return [Cell(f"n-{i}") for i in range(self.params.count)]

    def measure(self, ctx, cell):
        return rows_of(cell)

    def cost(self, ctx):
        return Cost()

    def claims(self, table):
        return []

    def plot(self, table):
        raise AssertionError

def rows_of(cell):
    raise ValueError("a bug in the experiment")
"""
SURVEY = (
    "experiment=attack_survey",
    "attack=shaky",
    "model=tiny_net",
    "model.width=8",
    "run.preset=tiny",
    "run.batch_size=8",
)


def ended_of(forked: Callable[..., Ended], folder: Path, *arguments: str) -> tuple[Ended, str]:
    """How a command line with all plug-ins ended, and its log.txt."""
    plugins = []
    for number, text in enumerate((NET, BLOBS, ATTACK, EXPERIMENT)):
        (folder / f"plug{number}.py").write_text(text)
        plugins.append(f"--plugin={folder / f'plug{number}.py'}")
    ended = forked(*plugins, *arguments)
    logs = list((folder / "outputs").rglob("log.txt"))
    return ended, logs[0].read_text() if logs else ""


@pytest.mark.parametrize(
    ("arguments", "function", "fault"),
    [(SURVEY, "move", "a bug in the attack"), (("experiment=broken",), "rows_of", "a bug in the experiment")],
    ids=["attack", "experiment"],
)
def test_a_defect_reaches_the_log_with_its_traceback(
    arguments: tuple[str, ...], function: str, fault: str, forked: Callable[..., Ended], tmp_path: Path
) -> None:
    ended, log = ended_of(forked, tmp_path, *arguments)
    assert ended.code == 1
    for text in (ended.err, log):
        assert "Traceback (most recent call last)" in text
        assert f"in {function}" in text
        assert f"ValueError: {fault}" in text
    assert "the run failed; what was measured is kept in" in log


def test_what_an_attack_refuses_is_one_message(forked: Callable[..., Ended], tmp_path: Path) -> None:
    ended, log = ended_of(forked, tmp_path, *SURVEY, "attack.refuse=true")
    assert ended.code == 2
    assert ended.err.splitlines()[-1] == "advlab: attack=shaky: refuse must be false"
    assert "Traceback" not in ended.err
    assert "in move\n" in log  # where it arose, for the author


def test_a_range_of_a_plug_ins_own_is_in_force_and_described(cli: Callable[..., Ended], tmp_path: Path) -> None:
    plugin = f"--plugin={write(tmp_path, EXPERIMENT)}"
    refused = cli(plugin, "experiment=broken", "experiment.count=0")
    assert (refused.code, refused.err) == (2, "advlab: experiment: count must be at least 1, got 0\n")
    described = cli(plugin, "describe", "broken")
    assert "  count = 3  (at least 1)\n      how many\n" in described.out


@pytest.mark.parametrize(("body", "fault"), list(DEFECTS.items()), ids=list(DEFECTS))
def test_what_ends_programs_ends_no_run_in_silence(
    body: str, fault: str, cli: Callable[..., Ended], tmp_path: Path
) -> None:
    """A plug-in that calls `sys.exit()` once left a run that was not complete, with exit code 0 and without a word."""
    plugin = f"--plugin={write(tmp_path, measure(body))}"
    with pytest.raises((RuntimeError, ValueError, TypeError)) as caught:
        cli(plugin, "experiment=squares")
    told = [caught.value, caught.value.__cause__]
    assert any(fault in f"{type(error).__name__}: {error}" for error in told)
    run = RunDirectory(tmp_path / "outputs/squares/v001")
    assert run.manifest()["status"] == "failed"
    log = run.log_path.read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in log
    assert fault in log


def test_a_plot_that_ends_the_program_is_a_defect(cli: Callable[..., Ended], tmp_path: Path) -> None:
    plugin = write(tmp_path, SQUARES)
    assert cli("--plugin", plugin, "experiment=squares").code == 0
    ending = write(tmp_path, SQUARES.replace("        return figure", "        raise SystemExit(0)"), "ending.py")
    components.REGISTRIES["experiment"]._targets.pop("squares")
    with pytest.raises(RuntimeError, match="raised SystemExit, which ends programs"):
        cli("--plugin", ending, "plot", "outputs/squares/v001")
