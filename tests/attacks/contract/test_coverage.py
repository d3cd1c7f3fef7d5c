"""Every attack and every file has a case here; wrong arguments and hyperparameters are refused."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from advlab.attacks import Library
from advlab.config.components import REGISTRIES
from advlab.config.schema import construct
from tests.helpers.attack_cases import CASES, CLASSES, Case, Setting, every

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "attack"


@every
def test_wrong_arguments(case: Case, setting: Callable[..., Setting]) -> None:
    s, attack = setting(case), case.attack
    with pytest.raises(ValueError, match=rf"{attack.label} takes no nonsense="):
        s.run(attack, nonsense=s.x)
    if attack.targeted == "never":
        with pytest.raises(ValueError, match=f"{attack.label} takes no targets"):
            attack(s.model, s.x, s.y, targets=(s.y + 1) % CLASSES)
    if attack.targeted == "always":
        with pytest.raises(ValueError, match=f"{attack.label} needs targets="):
            attack(s.model, s.x, s.y)


def test_every_attack_has_a_case() -> None:
    assert set(REGISTRIES["attack"].names()) - {"none"} == set(CASES)
    for name, cases in CASES.items():
        kind = REGISTRIES["attack"].load(name)
        assert all(type(case.attack) is kind for case in cases)
        if kind.targeted != "never" and name != "library":
            assert any(case.targeted for case in cases), f"{name} takes targets: a case with them is missing"
        if "basis" in kind.extra_inputs:
            assert any(case.confined for case in cases)


FILES = sorted(path for path in CONFIGS.glob("*.yaml") if path.stem != "none")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_runs(path: Path, setting: Callable[..., Setting]) -> None:
    node = yaml.safe_load(path.read_text(encoding="utf-8"))
    name = node.pop("name")
    assert name in CASES, f"{path.name} names {name}: a case is missing"
    attack = construct(REGISTRIES["attack"].load(name), node, "attack")
    if isinstance(attack, Library):
        pytest.importorskip(attack.library)
    s = setting(Case(attack, targeted=attack.targeted == "always"), 3, (3, 8, 8), torch.float32)
    result = s.run(attack)
    assert result.status.shape == (3,)


def test_every_attack_has_a_file() -> None:
    names = {yaml.safe_load(path.read_text(encoding="utf-8"))["name"] for path in FILES}
    assert names == set(CASES)


def test_hyperparameters_out_of_range() -> None:
    kinds = {REGISTRIES["attack"].load(name) for name in CASES}
    wrong: dict[str, list[Any]] = {
        "resolution": [0.0, 2.0], "bisections": [-1], "epsilon": [-0.1], "max_iter": [0], "overshoot": [-0.1], "steps": [0],
        "fooling": [0.0, 1.1], "level": [0.0, 1.0], "trials": [0], "restarts": [0], "hot": [-1], "candidates": [-1],
        "searches": [0], "initial": [0.0], "history": [0], "passes": [0], "images": [0], "refinements": [0],
        "target_classes": [0], "rho": [0.0, 1.0], "momentum": [0.0, 1.1],
    }  # fmt: skip
    seen = set()
    for kind, (name, values) in itertools.product(kinds, wrong.items()):
        if name in {f.name for f in dataclasses.fields(kind)} and kind is not Library:
            seen.add(name)
            for value in values:
                with pytest.raises(ValueError, match=name):
                    kind(**{name: value})
    assert seen == set(wrong)
