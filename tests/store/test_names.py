"""What components are called in paths and labels: as they were typed, and safe in a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advlab.store.names import component_label, run_label
from advlab.store.run_versions import former_versions_folder, versions_folder

ROOT = Path("outputs")
CHAIN = {"name": "chain", "of": [{"name": "blur", "sigma": 1.0}, {"name": "noise"}]}


def nodes(model: str = "lenet", dataset: str = "digits", **groups: Any) -> dict[str, dict[str, Any]]:
    return {"experiment": {"name": "survey"}, "dataset": {"name": dataset}, "model": {"name": model}, **groups}


@pytest.mark.parametrize(
    ("configuration", "folder", "label"),
    [
        (nodes(), "digits-lenet", "lenet on digits"),  # of version 0.1, which had no defense
        (nodes(attack={"name": "none"}, defense={"name": "none"}), "digits-lenet", "lenet on digits"),
        (nodes(attack={"name": "fgv"}), "digits-lenet-fgv", "fgv: lenet on digits"),
        (
            nodes(attack={"name": "hot_cold", "hot": 1}, choices={"attack": "hc1", "dataset": "mine"}),
            "digits-lenet-hc1",
            "hc1: lenet on digits",
        ),
        (nodes(defense=CHAIN), "digits-lenet-blur+noise", "lenet with blur+noise on digits"),
        (
            nodes(attack={"name": "pgd"}, defense={"name": "blur"}),
            "digits-lenet-pgd-blur",
            "pgd: lenet with blur on digits",
        ),
        (nodes("none"), "digits", "digits"),
        (nodes("none", attack={"name": "fgs"}), "digits-fgs", "fgs: digits"),
        (nodes("none", "none"), "", "survey"),
        (nodes("none", "none", attack={"name": "fgs"}), "fgs", "fgs: survey"),
        (nodes(probe={"direction": "fgv"}), "digits-lenet", "lenet on digits, fgv"),
        (nodes(attack={"name": "../../x"}, defense={"name": "a/b+c d"}), "digits-lenet-_.._x-a_b+c_d", None),
    ],
)
def test_paths_and_labels(configuration: dict[str, dict[str, Any]], folder: str, label: str | None) -> None:
    assert versions_folder(ROOT, configuration) == ROOT / "survey" / folder
    assert label is None or run_label(configuration) == label


def test_former_folders_name_dataset_and_model_alone() -> None:
    configuration = nodes(attack={"name": "fgv"}, defense=CHAIN)
    configuration["dataset"]["label"] = "my photos"
    assert former_versions_folder(ROOT, configuration) == ROOT / "survey" / "my_photos-lenet"


def test_model_and_dataset_are_called_by_their_component_whatever_was_typed() -> None:
    configuration = nodes(choices={"model": "lenet_mnist", "dataset": "mine", "defense": "both"}, defense=CHAIN)
    assert [component_label(configuration, group) for group in ("model", "dataset", "defense", "attack")] == [
        "lenet", "digits", "both", "none",
    ]  # fmt: skip


def test_a_network_that_is_trained_on_adversarial_images_says_so() -> None:
    recipe = {"name": "mine", "augment": ["shift:1", "pgd_linf:0.3,0.075,8"]}
    trained = nodes(recipe=recipe)
    assert run_label(trained) == "lenet_pgd on digits"
    assert versions_folder(ROOT, trained) == ROOT / "survey" / "digits-lenet_pgd"
    loaded = nodes(recipe=recipe) | {"model": {"name": "lenet", "checkpoint": "mine.pt"}}
    assert run_label(loaded) == "lenet on digits"  # the recipe has not trained it
    assert run_label(nodes(recipe={"name": "mine", "augment": ["shift:1"]})) == "lenet on digits"
