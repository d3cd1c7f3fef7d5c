"""What `run.preset` sets for every experiment: how many images measure the clean accuracy."""

from __future__ import annotations

from typing import Any

import pytest

from advlab.config import components
from advlab.config.settings import Settings, resolve

IMAGES = "run.accuracy_images"


def settings(explicit: frozenset[str] = frozenset(), **run: Any) -> Settings:
    """Isotropy of lenet on the digits, with options of the run as they stand in YAML."""
    run = {"accuracy_images": 10_000, **run}  # as in configs/run/default.yaml
    return resolve({"dataset": {"name": "digits"}, "model": {"name": "lenet"}, "probe": {"name": "sphere"},
                    "experiment": {"name": "isotropy"}, "run": run}, explicit)  # fmt: skip


@pytest.mark.parametrize(("preset", "images"), [("tiny", 200), ("laptop", 2000), ("paper", 10_000)])
def test_a_preset_scales_the_images_of_the_clean_accuracy(preset: str, images: int) -> None:
    found = settings(preset=preset)
    assert found.run.accuracy_images == images
    assert found.nodes["run"]["accuracy_images"] == images  # config.yaml holds what was used


def test_the_preset_leaves_what_was_typed() -> None:
    assert settings(frozenset({IMAGES}), preset="tiny", accuracy_images=5).run.accuracy_images == 5
    assert settings(preset="paper", accuracy_images=5).run.accuracy_images == 5


def test_an_archived_configuration_keeps_its_value() -> None:
    """Every key of config.yaml is explicit when a run is resumed: also of a run from before presets set this one."""
    before = settings(frozenset({IMAGES}), preset="tiny")
    every = frozenset(f"{group}.{key}" for group, node in before.nodes.items() for key in node)
    again = resolve(before.nodes, every)
    assert again.run.accuracy_images == 10_000
    assert (again.nodes, again.digest) == (before.nodes, before.digest)


def test_the_presets_of_an_experiment_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    isotropy = components.REGISTRIES["experiment"].load("isotropy")
    monkeypatch.setattr(isotropy, "presets", classmethod(lambda *_: {IMAGES: 7}))
    assert settings(preset="tiny").run.accuracy_images == 7
