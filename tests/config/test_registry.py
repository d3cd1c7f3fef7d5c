"""Names of components: lazy, unique, and with near ones when they are wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from advlab.config import components
from advlab.config.registry import Registry
from advlab.errors import ConfigError, shorten, suggest


def test_a_name_is_loaded_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    registry: Registry[Any] = Registry("thing")
    registry.add("decoder", "json:JSONDecoder")
    registry.add("broken", "no_such_module:Thing")
    assert "broken" in registry
    assert registry.names() == ["broken", "decoder"]
    assert registry.load("decoder").__name__ == "JSONDecoder"
    with pytest.raises(ModuleNotFoundError):
        registry.load("broken")


def test_objects_serve_as_well_as_names() -> None:
    registry: Registry[Any] = Registry("thing")
    registry.add("own", int)
    assert registry.load("own") is int


def test_a_taken_name_is_refused_and_the_same_target_is_not() -> None:
    registry: Registry[Any] = Registry("thing")
    registry.add("one", "json:loads")
    registry.add("one", "json:loads")
    with pytest.raises(ConfigError, match=r"thing name 'one' is taken already: register under another name"):
        registry.add("one", "json:dumps")
    assert registry.load("one").__name__ == "loads"


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("vgg61", "vgg16"), ("VGG16", "vgg16"), ("lenett", "lenet"), ("resnet5", "resnet50"), ("google_net", "googlenet")],
)
def test_near_names_are_offered(wrong: str, near: str) -> None:
    names = ["vgg16", "vgg19", "lenet", "resnet50", "googlenet", "alexnet"]
    assert f"Did you mean {near}" in suggest(wrong, names)


def test_nothing_is_offered_for_what_is_like_nothing() -> None:
    assert suggest("qqqqqq", ["alpha", "beta"]) == "There are: alpha, beta."
    assert suggest("x", []) == "There are none."
    assert suggest("x", ["one"]) == "There is: one."


def test_long_lists_and_long_texts_stay_readable() -> None:
    text = suggest("x", [f"name{n:03d}" for n in range(100)])
    assert text.endswith("and 88 more.")
    assert len(suggest("y" * 1_000_000, ["a", "b"])) < 100
    assert shorten("short") == "short"
    long = shorten("fault " + "x" * 100_000 + " remedy")
    assert len(long) < 3100
    assert long.startswith("fault")
    assert long.endswith("remedy")


def test_two_classes_whose_names_differ_in_case_alone_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "first.py").write_text("class HotCold:\n    pass\n")
    monkeypatch.setattr(components, "package_folder", lambda package: tmp_path)
    assert components.declared_classes("probe") == {"hotcold": "advlab.probes.first:HotCold"}
    (tmp_path / "second.py").write_text("class Hotcold:\n    pass\n")
    with pytest.raises(ConfigError, match=r"probe.* 'hotcold'.*first:HotCold.*second:Hotcold"):
        components.declared_classes("probe")


@pytest.mark.parametrize("family", sorted(components.REGISTRIES))
def test_every_registered_name_loads(family: str) -> None:
    registry = components.REGISTRIES[family]
    for name in registry.names():
        assert callable(registry.load(name))
    assert ("none" in registry) == (family != "experiment")


def test_the_registries_hold_names_only() -> None:
    """What is built in is named as text, so that listing imports nothing."""
    assert "advlab.config.components" in sys.modules
    for registry in components.REGISTRIES.values():
        for name, target in registry._targets.items():
            assert isinstance(target, str) or name in {"grown_net"}, name
