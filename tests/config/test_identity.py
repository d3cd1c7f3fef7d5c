"""The digest of a configuration: what it depends on, and what it must not depend on."""

from __future__ import annotations

import dataclasses
from dataclasses import field
from typing import Any

import pytest

from advlab.attacks import DeepFool
from advlab.config import components, groups, identity, migrations
from advlab.config.identity import component_key, configuration_digest, essential_parameters
from advlab.config.settings import resolve


def nodes(**changes: dict[str, Any]) -> dict[str, Any]:
    return {
        "dataset": {"name": "digits"}, "model": {"name": "lenet"}, "recipe": {"name": "short", "epochs": 1},
        "attack": {"name": "deepfool"}, "experiment": {"name": "attack_survey"}, "run": {}, **changes,
    }  # fmt: skip


def test_a_new_parameter_with_a_default_changes_no_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = resolve(nodes()).digest
    added = [("patience", int, field(default=3))]
    later = dataclasses.make_dataclass("DeepFool", added, bases=(DeepFool,), frozen=True, kw_only=True)
    monkeypatch.setitem(components.REGISTRIES["attack"]._targets, "deepfool", later)
    settings = resolve(nodes())
    assert settings.nodes["attack"]["patience"] == 3  # archived
    assert settings.digest == before
    assert resolve(nodes(attack={"name": "deepfool", "patience": 4})).digest != before


def test_a_new_group_changes_no_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    archived = resolve(nodes()).nodes
    before = configuration_digest(archived, {})
    added = (*groups.COMPONENT_GROUPS[:3], groups.Group("cluster", "clusters"), *groups.COMPONENT_GROUPS[3:])
    monkeypatch.setattr(identity, "COMPONENT_GROUPS", added)
    assert configuration_digest({**archived, "cluster": {"name": "none"}}, {}) == before
    without = {group: node for group, node in archived.items() if group != "defense"}
    assert configuration_digest(without, {}) == before  # an archive from before there were defenses


@pytest.mark.parametrize(
    "key",
    [
        "preset",
        "accuracy_images",
        "device",
        "batch_size",
        "cache_root",
        "max_nonfinite",
        "checkpoint_seconds",
        "image_memory",
    ],
)
def test_how_a_run_is_carried_out_is_not_in_the_digest(key: str) -> None:
    values = {
        "preset": "paper",
        "accuracy_images": 5,
        "device": "cpu",
        "batch_size": 3,
        "cache_root": "x",
        "max_nonfinite": 0.5,
        "checkpoint_seconds": 5.0,
        "image_memory": 2.0,
    }
    assert resolve(nodes(run={key: values[key]})).digest == resolve(nodes()).digest


def test_seed_precision_and_versions_are(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {
        resolve(nodes()).digest, resolve(nodes(run={"seed": 1})).digest, resolve(nodes(run={"precision": "tf32"})).digest
    }  # fmt: skip
    monkeypatch.setattr(DeepFool, "version", 9)
    settings = resolve(nodes())
    assert settings.versions == {"attack": 9}
    assert len({*digests, settings.digest}) == 4


def test_essential_parameters_are_those_not_at_their_defaults() -> None:
    full = resolve(nodes(attack={"name": "deepfool", "max_iter": 7})).nodes["attack"]
    assert len(full) > 5
    assert essential_parameters("attack", full) == {"name": "deepfool", "max_iter": 7}
    assert essential_parameters("attack", {"name": "deepfool", "max_iter": 50.0}) == {"name": "deepfool"}  # 50 is 50.0
    assert component_key(DeepFool(overshoot=0.5)) == {"class": "DeepFool", "version": 2, "overshoot": 0.5}


def test_a_renamed_key_is_read_under_its_former_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(migrations.RENAMED_KEYS, ("attack", "deepfool"), {"iterations": "max_iter"})
    settings = resolve(nodes(attack={"name": "deepfool", "iterations": 7}))
    assert settings.attack.max_iter == 7
    assert settings.digest == resolve(nodes(attack={"name": "deepfool", "max_iter": 7})).digest


def test_what_was_typed_is_archived_and_known_again() -> None:
    """Rows and messages name `hc1`, also of a run that is resumed."""
    settings = resolve(
        nodes(attack={"name": "hot_cold", "hot": 1}), choices={"attack": "hc1", "model": "lenet", "probe": "none"}
    )
    assert settings.nodes["choices"] == {"attack": "hc1"}
    again = resolve(settings.nodes)
    assert (again.choice_name("attack"), again.choice_name("model")) == ("hc1", "lenet")
    assert again.nodes == settings.nodes
    assert again.digest == resolve(nodes(attack={"name": "hot_cold", "hot": 1})).digest  # it is no part of the meaning


# lists of components


def gallery(attacks: list[str], **more: Any) -> Any:
    return resolve(
        nodes(attack={"name": "none"}, experiment={"name": "adversarial_gallery", "attacks": attacks}) | more
    )


def test_a_list_is_composed_archived_and_handed_over() -> None:
    settings = gallery(["hc1", "deepfool"])
    assert list(settings.lists["attacks"]) == ["hc1", "deepfool"]
    assert settings.lists["attacks"]["hc1"].component.hot == 1  # of the YAML file, not of the class
    archived = settings.nodes["lists"]["experiment.attacks"]
    assert archived["hc1"]["attack"]["name"] == "hot_cold"
    assert archived["deepfool"]["attack"]["max_iter"] == 50  # defaults too
    again = resolve(settings.nodes)
    assert again.nodes == settings.nodes
    assert again.digest == settings.digest


def test_an_archived_list_is_not_composed_again() -> None:
    """A YAML file that has changed since does not change a run that goes on."""
    archived = gallery(["deepfool"]).nodes
    archived["lists"]["experiment.attacks"]["deepfool"]["attack"]["max_iter"] = 3

    def refuse(group: str, choice: str) -> Any:
        raise AssertionError(f"{group}={choice} was composed")

    assert resolve(archived, compose_choice=refuse).lists["attacks"]["deepfool"].component.max_iter == 3


def test_what_a_list_holds_is_in_the_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    one = gallery(["deepfool"])
    other = {
        **one.nodes,
        "lists": {"experiment.attacks": {"deepfool": {"attack": {"name": "deepfool", "max_iter": 3}}}},
    }
    assert resolve(other).digest != one.digest
    monkeypatch.setattr(DeepFool, "version", 9)
    assert resolve(one.nodes).versions == {"experiment.attacks.deepfool.attack": 9}
    assert resolve(one.nodes).digest != one.digest


def test_a_listed_model_brings_its_recipe() -> None:
    settings = resolve(nodes(experiment={"name": "attack_survey", "transfer": ["mlp"]}))
    listed = settings.lists["transfer"]["mlp"]
    assert listed.nodes["model"]["name"] == "mlp"
    assert listed.nodes["recipe"]["epochs"] > 0
    variant = settings.variant(listed.nodes)
    assert (variant.nodes["model"]["name"], variant.nodes["dataset"]["name"]) == ("mlp", "digits")
