"""Lists of components on the command line, and defenses one behind the other: composed, archived and resumed to the byte."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.helpers.commands import Ended

GALLERY = ("experiment=adversarial_gallery", "experiment.columns=2", "experiment.candidates=60", "recipe.epochs=2")


def test_a_list_with_a_variant_of_ones_own_is_resumed_without_it(cli: Callable[..., Ended], tmp_path: Path) -> None:
    folder = tmp_path / "mine/attack"
    folder.mkdir(parents=True)
    (folder / "strong.yaml").write_text("name: pgd\nepsilon: 0.5\nsteps: 5\n")
    ended = cli("--config-dir", "mine", *GALLERY, "experiment.attacks=[fgs,strong]")
    assert ended.code == 0, ended.err
    run = tmp_path / "outputs/adversarial_gallery/digits-lenet/v001"
    table = (run / "table.csv").read_bytes()
    assert b",strong," in table
    assert b",FGS," in table
    archived = yaml.safe_load((run / "config.yaml").read_text())["lists"]["experiment.attacks"]
    assert archived["strong"]["attack"]["steps"] == 5
    assert archived["fgs"]["attack"]["discrete"] is True
    assert json.loads((run / "plan.json").read_text())["config"]["lists"]["experiment.attacks"] == archived
    shutil.rmtree(tmp_path / "mine")
    for path in [*sorted((run / "cells").glob("*.csv"))[:1], run / "table.csv", run / "manifest.json"]:
        path.unlink()
    ended = cli("resume", str(run))
    assert ended.code == 0, ended.err
    assert (run / "table.csv").read_bytes() == table


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["experiment.attacks=[fgs,fgsm]"], "experiment.attacks=fgsm: there is no attack 'fgsm'. Did you mean"),
        (["experiment.attacks=[fgs,fgs]"], "experiment.attacks: fgs is named twice"),
        (["experiment.attacks=[fgs,none]"], "experiment.attacks=none: the gallery needs attacks"),
        (
            ["experiment.attacks=[]"],
            "experiment.attacks=[] names no attack, and there would be nothing to measure: type",
        ),
        (["defense=[blur,noise]", "defense.name=blur"], "defense.name: several defenses are named by defense=[...]"),
        (["defense=[blur,noise]", "defense.blur=3"], "defense.blur: type defense.blur.KEY=VALUE"),
        (["defense.name=chain", "defense.of=3"], "defense.of: expected a list of 1 to 32 defenses"),
        (["experiment.attacks=[uap]"], "experiment.attacks=uap: the gallery needs attacks on single images"),
        (["defense=[blur,blurr]"], "there is no defense 'blurr'. Did you mean blur"),
        (["defense=[blur,blur]"], "must name defenses, each once"),
        (["defense=[]"], "must name defenses, each once"),
        (["defense=[blur,noise]", "defense.sigma=2"], "defense.sigma: of several defenses type defense.NAME.KEY="),
        (["defense=[blur,noise]", "defense.blur.sigma=-2"], "sigma must be above 0, got -2"),
        (["defense=project"], "project needs the directions: path=FILE"),
        (["defense=project", "defense.path=gone.safetensors"], "gone.safetensors is no file"),
        (["lists.x=1"], "lists: there is no such group"),
    ],
)
def test_wrong_lists_are_named(words: list[str], said: str, cli: Callable[..., Ended]) -> None:
    ended = cli(*GALLERY, *words)
    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_none_in_a_list_drops_out(cli: Callable[..., Ended], tmp_path: Path) -> None:
    assert cli(*GALLERY, "defense=[none]", "run.dry=true").code == 0
    ended = cli("experiment=lipschitz_toy", "defense=[blur,none,noise]")
    assert "defense=[blur,noise]: the experiment lipschitz_toy uses no defense: leave it out" in ended.err


def test_a_yaml_file_that_names_itself_ends_in_one_message(cli: Callable[..., Ended], tmp_path: Path) -> None:
    folder = tmp_path / "mine/defense"
    folder.mkdir(parents=True)
    (folder / "loop.yaml").write_text("name: chain\nof: [loop]\n")
    ended = cli("--config-dir", "mine", *GALLERY, "defense=loop")
    assert ended.code == 2
    assert "Traceback" not in ended.err
    (folder / "both.yaml").write_text("name: chain\nof: [blur, noise]\n")
    ended = cli("--config-dir", "mine", *GALLERY, "defense=both")
    assert ended.code == 0, ended.err
    assert (tmp_path / "outputs/adversarial_gallery/digits-lenet-both/v001/table.csv").is_file()


def test_an_experiment_without_a_network_takes_no_defense(cli: Callable[..., Ended]) -> None:
    ended = cli("experiment=hard_points", "defense=blur")
    assert ended.code == 2
    assert "defense=blur: the experiment hard_points uses no defense: leave it out" in ended.err


def test_a_resumed_run_knows_what_was_typed(cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli("experiment=attack_survey", "attack=hc1", "recipe.epochs=2", "run.preset=tiny")
    assert ended.code == 0, ended.err
    run = tmp_path / "outputs/attack_survey/digits-lenet-hc1/v001"
    names = ("table.csv", "summary.csv", "claims.csv", "config.yaml", "plan.json")
    before = {name: (run / name).read_bytes() for name in names}
    assert b"hc1: lenet on digits" in before["summary.csv"]
    for path in [*(run / "cells").glob("*.csv"), run / "summary.csv", run / "table.csv"]:
        path.unlink()
    ended = cli("resume", str(run))
    assert ended.code == 0, ended.err
    assert {name: (run / name).read_bytes() for name in names} == before
    assert json.loads((run / "manifest.json").read_text())["config"]["choices"] == {"attack": "hc1"}


def test_a_chain_is_swept_archived_and_resumed(cli: Callable[..., Ended], tmp_path: Path) -> None:
    line = ["experiment=attack_survey", "attack=fgs", "recipe.epochs=2", "run.preset=tiny"]
    ended = cli("-m", *line, "defense=none,blur,[blur,noise]", "attack.draws=3")
    assert ended.code == 0, ended.err
    folder = tmp_path / "outputs/attack_survey"
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith("digits")) == [
        "digits-lenet-fgs", "digits-lenet-fgs-blur", "digits-lenet-fgs-blur+noise",
    ]  # fmt: skip
    run = folder / "digits-lenet-fgs-blur+noise/v001"
    table = (run / "table.csv").read_bytes()
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["attacked"]["defense"]["draws"] == 3
    for path in [*(run / "cells").glob("*.csv"), run / "table.csv", run / "manifest.json"]:
        path.unlink()
    ended = cli("resume", str(run))
    assert ended.code == 0, ended.err
    assert (run / "table.csv").read_bytes() == table
    assert json.loads((run / "manifest.json").read_text())["digest"] == manifest["digest"]
