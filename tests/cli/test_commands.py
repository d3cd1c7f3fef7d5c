"""Good lines do what they say: help, list, describe, the composed configuration, dry runs."""

from __future__ import annotations

import logging
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import advlab
from advlab.cli.help import HELP
from advlab.cli.list import choices_of, headline
from advlab.cli.main import VERBS
from advlab.config import components
from advlab.config.choices import group_choices
from advlab.config.groups import GROUPS
from tests.helpers.commands import Ended


def test_help_is_one_screen_and_names_commands_groups_and_flags(cli: Callable[..., Ended]) -> None:
    texts = {cli(*arguments).out for arguments in (["--help"], ["-h"], ["help"], ["model=lenet", "--help"])}
    (text,) = texts
    lines = text.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 80
    for word in (
        *VERBS,
        *GROUPS,
        "-m",
        "--plugin",
        "--cfg job",
        "--config-dir",
        "--version",
        "run.preset",
        "run.dry",
        "run.resume",
    ):
        assert re.search(rf"(?<!\w){re.escape(word)}\b", text), word


def test_what_help_shows_can_be_typed(cli: Callable[..., Ended]) -> None:
    lines = [line.split()[1:] for line in HELP.splitlines() if line.startswith("  advlab ") and ".preset=" in line]
    assert len(lines) == 2
    for words in lines:
        words = ["run.dry=true", *words] if "-m" in words else ["--cfg", "job", *words]
        assert cli(*words).code == 0, words


def test_version(cli: Callable[..., Ended]) -> None:
    assert cli("--version").out == f"advlab {advlab.__version__}\n"
    assert cli("model=lenet", "--version").code == 0


@pytest.mark.parametrize("verb", ["list", "describe", "cache", "claims", "compare", "export", "plot", "resume"])
def test_commands_have_help(verb: str, cli: Callable[..., Ended]) -> None:
    ended = cli(verb, "--help")
    assert ended.code == 0
    assert f"usage: advlab {verb}" in ended.out


@pytest.mark.parametrize("family", ["experiments", "models", "datasets", "attacks", "probes", "recipes", "model"])
def test_list_of_one_family(family: str, cli: Callable[..., Ended]) -> None:
    ended = cli("list", family)
    assert ended.code == 0
    assert ended.out.startswith(f"{family.rstrip('s')}=")
    assert ended.out.count("=") >= 1


def test_list_shows_every_choice(cli: Callable[..., Ended]) -> None:
    out = cli("list").out
    for group in components.REGISTRIES:
        for choice in group_choices(group):
            assert choice in out


def test_describe_every_choice_of_every_group(cli: Callable[..., Ended]) -> None:
    for group in components.REGISTRIES:
        for choice in set(group_choices(group)) - {"none"}:
            ended = cli("describe", choice)
            assert ended.code == 0, choice
            assert f"{group}={choice}: " in ended.out
            assert "parameters (as " in ended.out
            assert "0x" not in ended.out  # no object's address


def test_describe_an_experiment_names_paper_defaults_and_sources(cli: Callable[..., Ended]) -> None:
    out = cli("describe", "isotropy").out
    for word in (
        "aghdam2017, figure 1",
        "radii = [0.1, 1.0, 2.0",
        "(each above 0)",
        "trials = 100  (from 2 to 1000000)",
        "norm = ['l2', 'linf']  (each one of l2, linf)",
        "cost:",
        "presets:",
        "run.dry=true",
    ):
        assert word in out
    assert "of the sample choice" in cli("describe", "run").out


def test_the_composed_configuration_is_shown(cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli("run.seed=3", "--cfg", "job", "model=mlp")
    assert ended.code == 0
    content = yaml.safe_load(ended.out)
    assert content["dataset"]["name"] == "mnist"
    assert content["run"]["seed"] == 3
    part = cli("--cfg=job", "--package", "run")
    assert yaml.safe_load(part.out)["seed"] == 0
    assert content["experiment"]["floor_factor"] == 10.0
    assert yaml.safe_load(cli("--cfg", "job", "-p", "probe.trials", "probe.trials=7").out) == 7
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("flag", [["--hydra-help"], ["--info"], ["--info", "searchpath"], ["--info", "run.seed=1"]])
def test_hydras_own_information(flag: list[str], cli: Callable[..., Ended], tmp_path: Path) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        assert cli(*flag).code == 0
    finally:  # Hydra leaves a handler on a stream that ends with this test
        root.handlers, root.level = handlers, level
    assert list(tmp_path.iterdir()) == []


def test_the_last_of_two_overrides_wins(cli: Callable[..., Ended]) -> None:
    """`make demo ARGS="run.preset=tiny"` relies on it."""
    assert "mnist" in cli("model=lenet", "model=mlp", "--cfg", "job").out
    assert "preset: tiny" in cli("run.preset=laptop", "run.preset=tiny", "--cfg", "job").out


def test_a_dry_run_writes_nothing_at_all(
    cli: Callable[..., Ended], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("other") / "cache"
    ended = cli("run.dry=true", f"run.cache_root='{cache}'", "run.preset=laptop")
    assert ended.code == 0
    for word in (
        "plan of isotropy",
        "cells",
        "forwards",
        "backwards",
        "FLOPs",
        "time",
        "memory",
        "nothing was written",
    ):
        assert word in ended.out
    assert list(tmp_path.iterdir()) == []
    assert not cache.exists()


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{shlex.quote(sys.executable)} -m advlab --help | head -c 10",
        shell=True, cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ),
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["attack=hc1", "attack.hot=12"], "attack=hc1: hot=12"),
        (["attack=hc1", "attack.hot=12", "attack.name=hot_cold"], "attack=hot_cold: hot=12"),
        (["attack=fooling"], "the attack fooling needs targets"),
        (["attack=deepfool_linf", "experiment=fooling_gallery"], "attack=deepfool_linf: fooling_gallery makes"),
    ],
)
def test_a_message_names_what_was_typed(line: list[str], said: str, cli: Callable[..., Ended]) -> None:
    ended = cli(*([] if "experiment=fooling_gallery" in line else ["experiment=attack_survey"]), *line)
    assert ended.code == 2
    assert said in ended.err


def test_no_two_choices_of_a_family_are_described_alike(cli: Callable[..., Ended]) -> None:
    for group in ("attack", "defense", "dataset", "recipe", "experiment", "model"):
        texts = [headline(group, name) for name in choices_of(group)]
        twice = {text for text in texts if texts.count(text) > 1}
        assert all(text.startswith("torchvision's") for text in twice), twice  # which are listed by their names
    assert headline("model", "lenet_mnist_pgd").endswith("on mnist, by recipe lenet_mnist_pgd.")
    assert headline("attack", "none") == "No attack."
