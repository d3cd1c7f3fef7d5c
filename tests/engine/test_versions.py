"""Runs that other versions of a component began: told apart by the plan, and not gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advlab.attacks import FGS, DeepFool
from advlab.config.settings import Settings, resolve
from advlab.engine.plan import check_versions, planned_digest
from advlab.errors import ResultError
from tests.helpers.commands import Ended


def settings(attack: str) -> Settings:
    return resolve(
        {
            "dataset": {"name": "digits"}, "model": {"name": "lenet"}, "attack": {"name": attack},
            "experiment": {"name": "attack_survey"}, "run": {},
        }
    )  # fmt: skip


def plan(chosen: Settings, **changes: Any) -> dict[str, Any]:
    return {"config": chosen.nodes, "versions": dict(chosen.versions), "prepared": {}, **changes}


def test_a_plan_has_the_digest_of_its_settings_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings("deepfool")
    assert planned_digest(plan(chosen)) == chosen.digest
    check_versions(plan(chosen), chosen)
    monkeypatch.setattr(DeepFool, "version", 9)
    raised = settings("deepfool")
    assert planned_digest(plan(chosen)) == chosen.digest != raised.digest
    with pytest.raises(ResultError, match=r"another version of the attack deepfool \(2, it is 9 now\).*new run"):
        check_versions(plan(chosen), raised)
    with pytest.raises(ResultError, match=r"deepfool \(9, it is 2 now\)"):
        check_versions(plan(raised), chosen)


@pytest.mark.parametrize("name", ["fgs", "fgv", "hot_cold", "saliency"])
def test_a_plan_of_version_0_1_had_the_first_version_of_the_search(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(settings(name).attack), "version", 2)  # as they were when plans changed
    monkeypatch.setattr(type(settings(name).experiment), "version", 1)
    chosen = settings(name)
    old = {"config": chosen.nodes, "prepared": {"samples": []}}
    assert planned_digest(old) != chosen.digest
    with pytest.raises(ResultError, match=rf"another version of the attack {name} \(1, it is 2 now\)"):
        check_versions(old, chosen)
    later = {"config": chosen.nodes, "prepared": {"attack_versions": {name: 2}}}  # begun just before version 0.2
    assert planned_digest(later) == chosen.digest
    check_versions(later, chosen)


def test_the_version_of_an_experiment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings("deepfool")
    begun = plan(chosen)
    monkeypatch.setattr(type(chosen.experiment), "version", 3)
    raised = settings("deepfool")
    assert raised.versions == {"attack": 2, "experiment": 3}
    with pytest.raises(ResultError, match=r"another version of the experiment attack_survey \(1, it is 3 now\)"):
        check_versions(begun, raised)


def test_a_new_run_is_begun_where_the_version_differs(
    cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run.resume=true` passes over what another version began; `advlab resume` of it says why not."""
    line = ["experiment=attack_survey", "attack=fgs", "run.preset=tiny", "recipe.epochs=1"]
    assert cli(*line).code == 0
    (run,) = (tmp_path / "outputs/attack_survey").glob("*/v001")
    for path in (run / "manifest.json", run / "table.csv", *(run / "cells").glob("*.csv")):
        path.unlink()
    monkeypatch.setattr(FGS, "version", FGS.version + 1)
    ended = cli(*line, "run.resume=true")
    assert ended.code == 0, ended.err
    manifest = json.loads((run.with_name("v002") / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    assert not list((run / "cells").glob("*.csv"))
