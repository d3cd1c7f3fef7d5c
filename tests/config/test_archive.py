"""Configurations of strangers: lists, choices and chains of the wrong shape are one message, and nothing is made of them."""

from __future__ import annotations

from typing import Any

import pytest

from advlab.config.identity import component_key, configuration_digest
from advlab.config.migrations import RENAMED_KEYS, recipe_parameters
from advlab.config.settings import resolve
from advlab.defenses import Blur, Chain, Noise
from advlab.errors import ConfigError


def nodes(**changes: Any) -> dict[str, Any]:
    return {
        "dataset": {"name": "digits"}, "model": {"name": "lenet"}, "experiment": {"name": "adversarial_gallery"}, "run": {},
        **changes,
    }  # fmt: skip


def nested(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = {"name": "blur"}
    for _ in range(depth):
        node = {"name": "chain", "of": [node]}
    return node


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lists": 5}, "lists: expected"),
        ({"lists": {"experiment.attacks": 5}}, "lists: expected"),
        ({"lists": {"experiment.attacks": {"fgs": 5}}}, "lists.experiment.attacks.fgs: expected"),
        ({"lists": {"experiment.attacks": {"fgs": {}}}}, "lists.experiment.attacks.fgs: expected"),
        ({"lists": {"experiment.attacks": {"fgs": {"nope": {"name": "x"}}}}}, "lists.experiment.attacks.fgs: expected"),
        ({"lists": {"experiment.attacks": {"fgs": {"attack": {}}}}}, "fgs.attack.name: a name is needed"),
        ({"lists": {"experiment.attacks": {n: {"attack": {"name": "zzz"}} for n in ("fgs", "fgv", "hc1")}}}, "no attack 'zzz'"),
        ({"choices": 5}, "choices: expected"),
        ({"choices": {"attack": 5}}, "choices: expected"),
        ({"choices": {"nope": "x"}}, "choices: expected"),
        ({"defense": {"name": "chain", "of": 3}}, "defense.of: expected a list"),
        ({"defense": {"name": "chain", "of": []}}, "defense.of: expected a list"),
        ({"defense": {"name": "chain"}}, "defense.of: expected a list"),
        ({"defense": {"name": "chain", "of": [{}]}}, "defense.of[0].name: a name is needed"),
        ({"defense": {"name": "chain", "of": [3]}}, "defense.of[0]: expected a defense"),
        ({"defense": {"name": "chain", "of": ["chain"]}}, "defense.of[0]: expected a defense"),
        ({"defense": {"name": "chain", "of": [{"name": "blur"}], "x": 1}}, "no keys of their own"),
        ({"defense": nested(2000)}, "at most 4 lists in each other"),
        ({"defense": {"name": "chain", "of": [{"name": "blur"}] * 33}}, "expected a list of 1 to 32 defenses"),
    ],
)  # fmt: skip
def test_wrong_shapes_are_one_message(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(nodes(**changes))
    assert said in str(caught.value)


def test_a_chain_of_chains_is_taken() -> None:
    settings = resolve(nodes(defense=nested(3)))
    assert resolve(settings.nodes).nodes == settings.nodes


# chains in digests and keys


def test_a_members_default_is_left_out_and_its_version_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    short = resolve(nodes(defense={"name": "chain", "of": [{"name": "blur"}, {"name": "noise"}]}))
    long = resolve(nodes(defense={"name": "chain", "of": [{"name": "blur", "sigma": 1.0}, {"name": "noise"}]}))
    without = {**short.nodes, "defense": {"name": "chain", "of": [{"name": "blur"}, {"name": "noise"}]}}
    assert short.digest == long.digest == configuration_digest(without, short.versions)
    chain = Chain(of=(Blur(), Noise(sigma=0.5)))
    key = component_key(chain)
    assert key == {"class": "Chain", "of": [{"class": "Blur"}, {"class": "Noise", "sigma": 0.5}]}
    before = short.digest
    monkeypatch.setattr(Blur, "version", 2)
    raised = resolve(short.nodes)
    assert raised.versions == {**short.versions, "defense.0": 2}
    assert raised.digest != before
    assert component_key(chain)["of"][0] == {"class": "Blur", "version": 2}
    assert component_key(Blur()) == {"class": "Blur", "version": 2}


def test_keys_are_renamed_in_chains_lists_recipes_and_what_a_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for place, former in {
        ("defense", "blur"): {"width": "sigma"}, ("attack", "deepfool"): {"iterations": "max_iter"},
        ("recipe", "recipe"): {"rate": "lr"}, ("experiment", "adversarial_gallery"): {"shown": "columns"},
    }.items():  # fmt: skip
        monkeypatch.setitem(RENAMED_KEYS, place, former)
    archived = resolve(nodes()).nodes
    old = {
        **archived,
        "defense": {"name": "chain", "of": [{"name": "blur", "width": 3.0}]},
        "experiment": {"name": "adversarial_gallery", "attacks": ["mine"], "shown": 7, "candidates": 300},
        "lists": {"experiment.attacks": {"mine": {"attack": {"name": "deepfool", "iterations": 9}}}},
        "run": {"preset": "tiny"},
    }
    settings = resolve(old, frozenset({"experiment.shown"}))
    assert settings.defense.of[0].sigma == 3.0
    assert settings.lists["attacks"]["mine"].component.max_iter == 9
    assert settings.experiment.params.columns == 7  # no preset changes what was set under the former name
    assert recipe_parameters({"rate": 0.7}) == {"lr": 0.7}
