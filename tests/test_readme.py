"""Every command and code block of README and docs/ runs, or where it needs data of a user's own, composes and checks."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from advlab.cli.launch import parse
from advlab.cli.main import take_plugins
from advlab.config.components import REGISTRIES
from advlab.config.compose import Composer
from advlab.plugins.loading import load_plugins
from tests.helpers.documents import all_commands, blocks, commands, documents, gallery_commands, measures
from tests.helpers.import_graph import ROOT

CLUSTER = importlib.util.find_spec("hydra_plugins") is not None and (
    importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher") is not None
)
LINES = all_commands()


def test_there_are_commands() -> None:
    assert len(LINES) >= 100
    assert any("my_mobilenet" in line for line in LINES)
    assert len(commands(documents()["README.md"])) >= 15
    assert set(gallery_commands()) <= set(LINES)
    pages = [name for name in documents() if name.startswith("docs/how-to/")]
    assert len(pages) >= 9
    assert [name for name in pages if not commands(documents()[name])] == ["docs/how-to/python.md"]  # it has code


@pytest.mark.parametrize("line", [line for line in LINES if measures(line)])
def test_every_run_composes_and_its_values_are_right(line: str, tmp_path: Path) -> None:
    words = shlex.split(line)[1:]
    plugins, rest = take_plugins(words)
    load_plugins()
    if any("submitit" in word for word in rest) and not CLUSTER:
        pytest.skip("the extra `cluster` is not installed")
    for name in plugins:
        load_block(name, tmp_path)
    parsed = parse(rest)
    with Composer(None) as composer:
        jobs = composer.jobs(parsed.overrides, multirun=parsed.flags.multirun)
    assert jobs
    named = next((word for word in rest if word.startswith("experiment=")), "experiment=isotropy")
    assert {job.experiment.name for job in jobs} == set(named.removeprefix("experiment=").split(","))


@pytest.mark.parametrize("line", [line for line in LINES if re.match(r"advlab (list|describe)\b", line)])
def test_every_question_is_answered(line: str, cli: Callable[..., Any]) -> None:
    ended = cli(*shlex.split(line)[1:])
    assert ended.code == 0
    assert len(ended.out) > 100


def test_every_line_about_runs_works_on_runs(cli: Callable[..., Any], tmp_path: Path) -> None:
    """Two small runs stand in for those that the lines name."""
    small = ("run.preset=tiny", "recipe.epochs=1", "probe.samples=2", "probe.trials=4", "probe.floor_samples=1")
    assert cli(*small).code == 0
    assert cli(*small, "probe.clip=true").code == 0
    runs = [f"outputs/isotropy/digits-lenet/v00{number}" for number in (1, 2)]
    lines = [
        line
        for line in LINES
        if re.match(r"advlab ((cache|report)( |$)|(claims|compare|export|plot|resume|status) )", line)
    ]
    assert len(lines) >= 6
    for line in lines:
        place = 0
        words = [word for word in shlex.split(line)[1:] if word != "--watch"]
        for number, word in enumerate(words):
            if re.match(r"outputs/|RUN\d?$", word):
                words[number] = runs[place % 2] if words[0] != "claims" else "outputs"
                place += 1
            if word == "experiments":
                words[number] = str(ROOT / "experiments")
        if "--paper" in words:
            words[words.index("paper")] = "tiny"  # the preset of the two runs
        ended = cli(*words)
        assert ended.code == 0, (line, ended.err)
    exec(next(text for text in blocks("python") if "advlab.compare" in text), {})


def test_the_demo_then_plot_resume_and_python(cli: Callable[..., Any], tmp_path: Path) -> None:
    assert cli("run.preset=tiny", "recipe.epochs=1").code == 0
    run = "outputs/isotropy/digits-lenet/v001"
    assert cli("run.preset=tiny", "recipe.epochs=1", "run.seed=1").code == 0
    ended = cli("plot", run, run.replace("v001", "v002"))
    assert ended.code == 0
    drawn = [line for line in ended.out.splitlines() if line.endswith((".png", ".pdf"))]
    assert len(drawn) == 2
    assert all((tmp_path / name).is_file() for name in drawn)
    assert "more-at-1: holds in" in ended.out
    assert "nothing left to do" in cli("resume", run).out
    block = next(text for text in blocks("python") if "run = advlab.load" in text)
    space: dict[str, Any] = {}
    exec(block, space)
    assert len(space["run"].table) == 3 * 21 * 2
    assert set(space["run"].claims["verdict"]) <= {"holds", "does not hold", "undecided", "not measured"}
    for name in ("config.yaml", "plan.json", "cells", "table.csv", "claims.csv", "figures", "log.txt", "manifest.json"):
        assert (tmp_path / run / name).exists()


def test_an_attack_from_python() -> None:
    block = next(text for text in blocks("python") if "DeepFool(refine=True)" in text)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 5)).eval()
    images = torch.rand(4, 1, 4, 4)
    space: dict[str, Any] = {"model": model, "images": images, "labels": model(images).argmax(1)}
    exec(block, space)
    assert bool(space["result"].success.all())


def test_a_defense_from_python() -> None:
    block = next(text for text in blocks("python") if "draws=20" in text)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 5)).eval()
    images = torch.rand(4, 1, 4, 4)
    space: dict[str, Any] = {"model": model, "images": images, "labels": model(images).argmax(1)}
    exec(block, space)
    facts = space["result"].facts["defense"]
    (said,) = re.findall(r"\[\"gradient\"\]  # (.*)", block)
    assert facts["gradient"] == said
    assert facts["draws"] == 20
    assert space["result"].rejected.tolist() == [False] * 4


def test_a_defense_of_ones_own(tmp_path: Path) -> None:
    load_block("speckle.py", tmp_path)
    defended = REGISTRIES["defense"].load("speckle")(size=0.5)(nn.Identity())
    images = torch.rand(2, 1, 4, 4)
    assert defended.random
    assert bool((defended(images) != images).all())


def test_make_knows_every_target_that_is_named() -> None:
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    text = "\n".join(documents().values())
    named = set(re.findall(r"(?:^    |`|# )make ([a-z0-9-]+)", text, re.MULTILINE))
    assert {"demo", "test", "bench", "help", "docs"} <= named
    assert [target for target in sorted(named) if f"make {target} " not in helped] == []


def test_make_gives_a_users_network_to_the_figures_that_take_one(tmp_path: Path) -> None:
    """The page's line about ImageNet: some figures train networks of their own, and take neither another's weights nor images."""
    given = f"dataset.root={tmp_path} model.weights=DEFAULT run.preset=tiny"
    line = ["make", "-n", "aghdam2017", "NETWORKS=vgg16,resnet50", f"ARGS={given}"]
    printed = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [shlex.split(line)[1:] for line in printed.splitlines() if re.match(r"\S*advlab ", line)]
    assert len(lines) >= 13
    taken: set[str] = set()
    load_plugins()
    with Composer(None) as composer:
        for words in lines:
            parsed = parse(words)
            jobs = composer.jobs(parsed.overrides, multirun=parsed.flags.multirun)
            taken |= {job.experiment.name for job in jobs if f"dataset.root={tmp_path}" in words}
            assert ("vgg16" in " ".join(words)) == (f"dataset.root={tmp_path}" in words)
    assert taken >= {"isotropy", "topology", "lipschitz", "separability", "first_layer"}


def test_completion_installs(shell: Callable[..., Any]) -> None:
    ended = shell("completion", "bash")
    assert ended.code == 0
    assert "complete" in ended.out


def load_block(name: str, folder: Path) -> None:
    """Load a plug-in of the checkout; or write a block of a page, with a stand-in for the user's own module, and load it."""
    if (ROOT / name).is_file():
        load_plugins([str(ROOT / name)])
        return
    block = next(text for text in blocks("python") if f"# {name}" in text)
    (folder / name).write_text(block, encoding="utf-8")
    (folder / "model.py").write_text(
        "def build():\n    raise AssertionError('not built to check a command')\n", encoding="utf-8"
    )
    load_plugins([str(folder / name)])
