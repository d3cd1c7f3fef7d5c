"""Runs of the survey of attacks from the command line: killed, interrupted, drawn together, refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from advlab.attacks import FGS
from tests.helpers.commands import Ended


def test_a_killed_run_goes_on_to_the_same_bytes(
    cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("advlab.experiments.surveys.attack_survey.CELL_IMAGES", 3)
    line = ["experiment=attack_survey", "attack=fooling", "experiment.targets=random", "run.preset=tiny"]
    ended = cli(*line, "experiment.transfer=[mlp]", "attack.max_iter=30", "recipe.epochs=1")
    assert ended.code == 0, ended.err
    assert "success_rate" in ended.out
    assert "seconds_per_image" in ended.out
    (run,) = (tmp_path / "outputs/attack_survey").glob("*/v001")
    before = {name: (run / name).read_bytes() for name in ("table.csv", "summary.csv", "claims.csv")}
    first = json.loads((run / "manifest.json").read_text())
    assert first["backwards"] > 0
    assert first["forwards"] > first["backwards"]
    assert first["attacked"]["images"] == 8
    assert first["other_models"][0]["name"] == "mlp"
    cells = sorted((run / "cells").glob("*.csv"))
    assert len(cells) == 3
    for path in (run / "manifest.json", run / "table.csv", run / "summary.csv", cells[1]):
        path.unlink()
    assert cli("resume", str(run)).code == 0
    assert before == {name: (run / name).read_bytes() for name in before}
    again = json.loads((run / "manifest.json").read_text())
    assert again["attacked"]["images"] == 3
    assert 0 < again["backwards"] < first["backwards"]


def test_an_interrupted_run_of_another_version_ends_in_one_message(
    cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = cli("experiment=attack_survey", "attack=fgs", "run.preset=tiny", "recipe.epochs=1")
    assert ended.code == 0, ended.err
    (run,) = (tmp_path / "outputs/attack_survey").glob("*/v001")
    for path in (run / "manifest.json", run / "table.csv", *(run / "cells").glob("*.csv")):
        path.unlink()
    monkeypatch.setattr(FGS, "version", FGS.version + 1)
    ended = cli("resume", str(run))
    assert ended.code == 2
    assert "another version of the attack fgs" in ended.err
    assert "Traceback" not in ended.err
    assert not list((run / "cells").glob("*.csv"))


def test_several_runs_are_listed_and_drawn_together(
    cli: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    line = ["experiment=attack_survey", "attack=fooling", "experiment.targets=random", "run.preset=tiny"]
    ended = cli("-m", *line, "attack.level=0.5,0.9", "attack.max_iter=5", "recipe.epochs=1")
    assert ended.code == 0, ended.err
    lines = [text for text in ended.out.splitlines() if text.startswith("attack ")]
    assert "fooling (level=0.5, max_iter=5" in lines[-1]
    assert "fooling (level=0.9, max_iter=5" in lines[-1]
    assert len(list((tmp_path / "outputs/attack_survey/figures").glob("*.png"))) == 1
    ended = cli("plot", *map(str, (tmp_path / "outputs/attack_survey").glob("*/v00*")))
    assert ended.code == 0
    assert "seconds_per_image" in ended.out


def test_a_dry_run_estimates_and_writes_nothing(cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli(
        "experiment=attack_survey", "attack=fooling", "experiment.targets=all", "run.preset=tiny", "run.dry=true"
    )
    assert ended.code == 0, ended.err
    assert "backwards  72,000 images" in ended.out  # 8 images, 9 targets, 1000 steps
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["attack=hc1", "attack.hot=12"], "hot=9 is the last"),
        (["attack=foolbox_deepfool", "attack.attack=Nope"], "no attack 'Nope'"),
    ],
)
def test_what_an_attack_refuses_is_one_message(cli: Callable[..., Ended], line: list[str], said: str) -> None:
    if line[0] == "attack=foolbox_deepfool":
        pytest.importorskip("foolbox")
    ended = cli("experiment=attack_survey", *line, "run.preset=tiny", "recipe.epochs=1")
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err
