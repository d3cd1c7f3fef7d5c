"""`advlab list --json` and `advlab describe NAME --json`: one JSON document each, whose keys are those that are promised."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from advlab.cli import described
from advlab.cli.describe import EMPTY, described_choices
from advlab.cli.described import Described, as_json
from advlab.config import components
from advlab.config.choices import group_choices
from tests.helpers.commands import Ended

CHOICES = [*sorted({name for group in components.REGISTRIES for name in group_choices(group)} - {"none"}), "run"]
PROMISED = re.findall(r'"(\w+)"', str(described.__doc__))


def parsed(text: str) -> Any:
    """A JSON document without the numbers that JSON has not."""
    return json.loads(text, parse_constant=pytest.fail)


def test_list_gives_every_choice_of_every_group(cli: Callable[..., Ended]) -> None:
    ended = cli("list", "--json")
    assert (ended.code, ended.err) == (0, "")
    content = parsed(ended.out)
    assert (content["format"], content["version"]) == ("advlab-list", 1)
    listed = {group["group"]: [choice["name"] for choice in group["choices"]] for group in content["groups"]}
    assert {group: set(names) | {"none"} for group, names in listed.items()} == {
        group: set(group_choices(group)) | {"none"} for group in components.REGISTRIES
    }
    headlines = {choice["name"]: choice["headline"] for group in content["groups"] for choice in group["choices"]}
    assert headlines["isotropy"].endswith("(aghdam2017, figure 1)")
    assert [group["plural"] for group in parsed(cli("list", "models", "--json").out)["groups"]] == ["models"]


def test_describe_has_the_promised_keys_for_every_choice() -> None:
    assert set(EMPTY) | {field.name for field in dataclasses.fields(Described)} <= set(PROMISED)
    for name in CHOICES:
        content = parsed(as_json("describe", {"name": name, "choices": described_choices(name)}))
        assert content["choices"]
        for choice in content["choices"]:
            assert list(choice) == list(EMPTY)
            assert choice["title"]
            for parameter in choice["parameters"]:
                assert parameter["key"] == f"{choice['group']}.{parameter['name']}"
                assert parameter["type"] not in ("", "any") or choice["group"] not in ("experiment", "run")


def test_describe_of_an_experiment(cli: Callable[..., Ended]) -> None:
    ended = cli("describe", "attack_survey", "--json")
    assert (ended.code, ended.err) == (0, "")
    (survey,) = parsed(ended.out)["choices"]
    parameters = {parameter["name"]: parameter for parameter in survey["parameters"]}
    assert parameters["transfer"]["names_of"] == "model"
    assert parameters["transfer"]["type"] == "list of text"
    assert parameters["transfer"]["default"] == []
    assert "safetensors" in parameters["keep"]["values"]
    assert {"name": "success", "type": "boolean"}.items() <= next(
        c for c in survey["columns"] if c["name"] == "success"
    ).items()
    (radii,) = [
        p for p in parsed(cli("describe", "sphere", "--json").out)["choices"][0]["parameters"] if p["name"] == "radii"
    ]
    assert radii["type"] == "list of number"
    (arch,) = [
        p for p in parsed(cli("describe", "timm", "--json").out)["choices"][0]["parameters"] if p["name"] == "arch"
    ]
    assert (arch["required"], arch["default"]) == (True, None)


def test_numbers_that_json_has_not_are_texts() -> None:
    content = parsed(as_json("x", {"a": [float("inf"), -float("inf"), float("nan"), 1.5, True, None, ("b",)]}))
    assert content["a"] == ["Infinity", "-Infinity", "NaN", 1.5, True, None, ["b"]]


def test_neither_loads_torch() -> None:
    code = (
        "import sys; from advlab.cli.main import run; assert run(['list', '--json']) == 0; "
        "assert run(['describe', 'pgd', '--json']) == 0; assert not {'torch', 'timm', 'pandas'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
