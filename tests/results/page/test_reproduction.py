"""The command that makes a run again: composed from its configuration, and the same to the digest."""

from __future__ import annotations

import copy
import random
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from advlab.config.compose import Composer
from advlab.results.page.archived_command import typed_command
from advlab.results.page.reproduction import RememberingComposer, Reproduction, Reproductions
from advlab.shell import hydra_text
from tests.helpers.strangers import altered


@pytest.fixture(scope="module")
def reproductions() -> Iterator[Reproductions]:
    with RememberingComposer() as composer:
        yield Reproductions(composer)


@pytest.mark.parametrize(
    "line",
    [
        "experiment=isotropy",
        "experiment=topology model=lenet_mnist probe.direction=fgv",
        "experiment=score_curves model=nin dataset=folder recipe=nin_cifar10_short run.preset=laptop"
        " experiment.classes=[6] dataset.root=/data/jpeg",
        "experiment=attack_survey attack=pgd attack.epsilon=0.125 run.seed=3",
        "experiment=attack_survey model=lenet_mnist attack=hc defense=[blur,noise] run.precision=tf32",
        "experiment=training_grids",
    ],
)
def test_a_run_is_made_again_by_what_was_typed(line: str, reproductions: Reproductions) -> None:
    """Nothing is typed that follows from the rest, and nothing is missing, though the line is made from the values alone."""
    with Composer(None) as composer:
        settings = composer.settings(line.split())
    manifest = {"digest": settings.digest, "command": ["advlab", "-m", "model=a,b", "run.output_root=/home/me"]}
    found = reproductions.of(settings.nodes, manifest)
    assert (found.checked, found.same, found.sweep) == (True, True, True)
    assert sorted(shlex.split(found.command)) == sorted(["advlab", *line.split()])
    assert found.typed == "advlab -m model=a,b"
    older = reproductions.of(settings.nodes, {**manifest, "digest": "of an older version"})
    assert (older.command, older.checked, older.same) == (found.command, True, False)
    with_a_plugin = reproductions.of(settings.nodes, {**manifest, "command": ["advlab", "--plugin", "my net.py", "-m"]})
    assert with_a_plugin.command == found.command.replace("advlab", 'advlab --plugin "my net.py"', 1)


def test_values_reach_the_configuration_as_they_are(reproductions: Reproductions) -> None:
    root = "/data/it's ${oc.env:HOME}, a=b"
    with Composer(None) as composer:
        words = ["experiment=isotropy", "model=cifar_vgg", "dataset=folder", f"dataset.root={hydra_text(root)}"]
        nodes = composer.settings(words).nodes
        assert nodes["dataset"]["root"] == root
        found = reproductions.of(nodes, {})
        assert found.checked
        assert composer.settings(shlex.split(found.command)[1:]).nodes["dataset"]["root"] == root


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["advlab", "x=1", "run.data_root=/home/me", "hydra.sweep.dir=/x", "++a=b c"], "advlab x=1 'a=b c'"),
        (["advlab", "--multirun", "x=1,2"], "advlab -m x=1,2"),
        (["advlab", "resume", "outputs/v001"], ""),
        (["ipykernel_launcher.py", "-f", "kernel.json"], ""),
        ("advlab model=lenet", "advlab model=lenet"),
        (None, ""), ([], ""), ([1], ""), ({"a": 1}, ""),
    ],
)  # fmt: skip
def test_what_was_typed_is_told_without_places(words: Any, expected: str) -> None:
    assert typed_command(words) == expected


def test_what_is_not_known_is_told_as_it_was_typed(reproductions: Reproductions) -> None:
    nodes: dict[str, dict[str, Any]] = {"experiment": {"name": "of_a_plugin"}, "run": {"seed": 1}}
    typed = Reproduction("advlab experiment=of_a_plugin")
    found = reproductions.of(nodes, {"command": ["advlab", "experiment=of_a_plugin"]})
    assert (found.command, found.checked, found.same) == (typed.command, False, False)
    assert not found.from_python
    made = reproductions.of(nodes, {"command": ["ipykernel_launcher.py", "-f", "kernel.json"]})
    assert (made.command, made.from_python) == ("", True)


def test_a_strangers_configuration_raises_nothing(reproductions: Reproductions) -> None:
    with Composer(None) as composer:
        nodes = composer.settings(["experiment=attack_survey", "attack=fgs", "run.preset=tiny"]).nodes
    draw = random.Random(0)
    for _ in range(12):
        changed = altered(copy.deepcopy(nodes), draw)
        if all(isinstance(node, dict) for node in changed.values()) and "name" in changed.get("experiment", {}):
            assert isinstance(reproductions.of(changed, {"command": None}), Reproduction)
