"""Run directories of strangers: a plan or a configuration of a wrong shape, with its seal in order, is one message."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from advlab.store.sealed import read_sealed, write_sealed
from tests.helpers.commands import Ended
from tests.helpers.long_cases import one_in

CHANGES: list[tuple[tuple[str, ...], Any]] = [
    (("execution",), {}),
    (("versions",), 5), (("versions",), {"attack": "x"}), (("versions",), {"bogus": 2}), (("prepared",), 5), (("cells",), "x"),
    (("execution",), 5), (("execution",), {"a": 1}), (("device",), "../../x"), (("device",), "tpu"), (("data",), {}),
    (("weights",), None), (("stages",), [1]), (("config", "lists"), 5), (("config", "choices"), 5),
    (("config", "choices", "attack"), []), (("config", "defense", "of"), 3), (("config", "defense", "of"), [{}]),
    (("config", "defense", "of"), ["chain"]), (("config", "defense", "name"), 5), (("config", "experiment", "name"), True),
    (("config", "experiment", "name"), "none"), (("config", "attack", "steps"), {}), (("config", "run"), 5),
    (("config", "model", "name"), []), (("config", "dataset"), None),
]  # fmt: skip


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("complete")


#: parts of a configuration of which a figure may show the names
SHOWN = ("name", "of", "dataset", "choices")


@pytest.mark.parametrize(
    ("place", "value"),
    one_in(
        3,
        [
            pytest.param(place, value, marks=[pytest.mark.renders] if place[-1] in SHOWN else [])
            for place, value in CHANGES
        ],
    ),
    ids=[f"{'.'.join(p)}={v}"[:60] for p, v in CHANGES],
)
def test_a_changed_run_directory_ends_in_one_message(
    place: tuple[str, ...], value: Any, cli: Callable[..., Ended], complete: Path
) -> None:
    line = ["experiment=attack_survey", "attack=hc1", "defense=[blur,noise]", "recipe.epochs=1", "run.preset=tiny"]
    run = complete / "o/attack_survey/digits-lenet-hc1-blur+noise/v001"
    roots = [f"run.output_root={complete / 'o'}", f"run.cache_root={complete / 'c'}"]
    if not run.is_dir():
        assert cli(*line, *roots).code == 0
    victim = Path("victim")
    shutil.copytree(run, victim)
    for path in (victim / "cells").glob("*.csv"):
        path.unlink()
    plan = copy.deepcopy(read_sealed(victim / "plan.json"))
    inner = plan
    for key in place[:-1]:
        inner = inner.setdefault(key, {})
    inner[place[-1]] = value
    write_sealed(victim / "plan.json", plan)
    (victim / "config.yaml").write_text(yaml.safe_dump(plan["config"], sort_keys=False))
    for words in (("resume", str(victim)), ("plot", str(victim))):
        ended = cli(*words)
        assert ended.code in (0, 2), ended.err  # what a figure does not need is not looked at
        assert "Traceback" not in ended.err
    assert cli("resume", str(victim)).code == 2
    shutil.copytree(victim, run.with_name("v002"))  # nor does it end another command that looks for a run to resume
    try:
        assert cli(*line, *roots, "run.resume=true").code == 0
    finally:
        shutil.rmtree(run.with_name("v002"))


PREPARED: list[Any] = [
    {}, {"samples": 5}, {"samples": ["x"]}, {"samples": [10**9]}, {"samples": [[0]]}, {"samples": None}, {"samples": [0.5]},
]  # fmt: skip


@pytest.mark.parametrize("prepared", PREPARED, ids=str)
def test_what_a_plan_says_was_prepared_is_not_trusted(prepared: Any, cli: Callable[..., Ended], complete: Path) -> None:
    line = ["recipe.epochs=1", "run.preset=tiny", "probe.trials=4", "probe.radii=[1]", "probe.confidence=0"]
    run = complete / "p/isotropy/digits-lenet/v001"
    if not run.is_dir():
        assert cli(*line, f"run.output_root={complete / 'p'}").code == 0
    shutil.copytree(run, "victim")
    for path in [Path("victim/manifest.json"), *Path("victim/cells").glob("*.csv")]:
        path.unlink()
    plan = read_sealed(Path("victim/plan.json"))
    write_sealed(Path("victim/plan.json"), {**plan, "prepared": prepared})
    ended = cli("resume", "victim")
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert "start a new run" in ended.err
    write_sealed(Path("victim/plan.json"), {**plan, "prepared": prepared, "cells": ["samples-00000"]})
    ended = cli("resume", "victim")  # whose cell has the name that these samples give
    assert ended.code == 2
    assert "Traceback" not in ended.err
    assert "start a new run" in ended.err


def test_a_defect_of_a_resumed_run_is_not_blamed_on_its_plan(
    cli: Callable[..., Ended], complete: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(*_: object) -> None:
        raise IndexError("a defect of the code")

    assert cli("experiment=hard_points", "experiment.resolution=60").code == 0
    run = Path("outputs/hard_points/v001")
    for path in [run / "manifest.json", *(run / "cells").glob("*.csv")]:
        path.unlink()
    monkeypatch.setattr("advlab.experiments.barati2021.hard_points.HardPoints.measure", defect)
    with pytest.raises(IndexError, match="a defect of the code"):
        cli("resume", str(run))
