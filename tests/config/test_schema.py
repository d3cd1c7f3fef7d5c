"""The typed configuration: conversions, refusals, presets and the digest that identifies a run."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from advlab.config.groups import GROUPS
from advlab.config.run_options import RunParams
from advlab.config.schema import construct, convert, keyword_parameters, parameters
from advlab.config.settings import Settings, resolve
from advlab.errors import ArgumentError, ConfigError


def nodes() -> dict[str, Any]:
    """The configuration of plain `advlab`, shortened."""
    return {
        "dataset": {"name": "digits"}, "recipe": {"name": "short", "epochs": 1},
        "model": {"name": "lenet", "input": [1, 28, 28]}, "defense": {"name": "none"}, "attack": {"name": "none"},
        "probe": {"name": "sphere"}, "experiment": {"name": "isotropy"}, "run": {"seed": 0},
    }  # fmt: skip


def changed(*changes: tuple[str, Any], explicit: frozenset[str] = frozenset()) -> Settings:
    """`nodes()` with dotted keys set."""
    config = nodes()
    for key, value in changes:
        group, _, name = key.partition(".")
        config[group][name] = value
    return resolve(config, explicit)


@pytest.mark.parametrize(
    ("value", "hint", "wanted"),
    [
        (3, int, 3),
        (3.0, int, 3),
        (3, float, 3.0),
        ("x", str, "x"),
        (3, str, "3"),
        (True, bool, True),
        ([1, 2], list[int], [1, 2]),
        (1, list[int], [1]),
        ([1, 2.5], list[float], [1.0, 2.5]),
        ((1, 2), list[int], [1, 2]),
        ([1, 2], tuple[int, ...], (1, 2)),
        ("l2", Literal["l2", "linf"], "l2"),
        ("l2", list[Literal["l2", "linf"]], ["l2"]),
        ({"a": 1}, dict[str, float], {"a": 1.0}),
        (None, Any, None),
        (3, int | str, 3),
        ("x", int | str, "x"),
    ],
)
def test_conversion(value: Any, hint: Any, wanted: Any) -> None:
    found = convert(value, hint, "group.key")
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("value", "hint", "words"),
    [
        ("3", int, "expected a whole number, got '3' (str)"),
        (True, int, "expected a whole number, got True (bool)"),
        (2.5, int, "expected a whole number, got 2.5 (float)"),
        (float("inf"), int, "expected a whole number"),
        (float("nan"), float, "expected a number"),
        (10**400, float, "expected a number"),
        (10**400, int, "expected a whole number"),
        (None, float, "expected a number, got None (NoneType)"),
        (False, float, "expected a number, got False (bool)"),
        (1, bool, "expected true or false, got 1 (int)"),
        ("yes", bool, "expected true or false"),
        (True, str, "expected text, got True (bool)"),
        (["a"], str, "expected text"),
        ([1, "x"], list[int], "group.key[1]: expected a whole number"),
        ("l3", Literal["l2", "linf"], "'l3' is no choice. Did you mean l2?"),
        (["l2"], Literal["l2", "linf"], "is no choice"),
        ({"a": 1}, Literal["l2", "linf"], "is no choice"),
        (3, dict[str, float], "expected a mapping, got 3 (int)"),
        ({"a": "x"}, dict[str, float], "group.key.a: expected a number"),
        ([], int | str, "got []"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_refusal_names_the_key_and_the_type(value: Any, hint: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        convert(value, hint, "group.key")
    assert str(caught.value).startswith("group.key")
    assert words in str(caught.value)


def test_construct_names_unknown_and_missing_keys_and_bad_values() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Thing:
        size: int
        names: list[str] = field(default_factory=list)

        def __post_init__(self) -> None:
            if self.size < 0:
                raise ArgumentError(f"size must be 0 or more, got {self.size}")

    thing = construct(Thing, {"size": 2.0, "names": "a"}, "thing")
    assert (thing.size, thing.names) == (2, ["a"])
    for node, words in [
        ({"siez": 1}, "thing.siez: there is no such key. Did you mean size?"),
        ({}, "thing.size: a value is needed: type thing.size=..."),
        ({"size": -1}, "thing: size must be 0 or more, got -1"),
    ]:
        with pytest.raises(ConfigError) as caught:
            construct(Thing, node, "thing")
        assert str(caught.value).startswith(words)


def test_constructor_signatures_serve_as_schema() -> None:
    class Plain:
        def __init__(self, *, width: int = 3, label: str = "x", **rest: Any) -> None:
            self.width = width

    assert list(parameters(Plain)) == ["width", "label"]
    assert construct(Plain, {"width": 4}, "model").width == 4
    with pytest.raises(ConfigError, match="a whole number"):
        construct(Plain, {"width": "x"}, "model")


def test_keywords_of_a_plugins_function() -> None:
    def build(width: int, depth: list[int] = [1], *rest: int, device: Unknown = None, **options: Any) -> None: ...  # type: ignore[name-defined]  # noqa: B006, F821

    found = {p.name: p.annotation for p in keyword_parameters("model", "net", build, ())}
    assert found == {"width": int, "depth": list[int], "device": Any}
    with pytest.raises(ConfigError, match=r"the model net has a parameter 'width', but every one has it: rename"):
        keyword_parameters("model", "net", build, ("width",))


def test_groups_are_checked() -> None:
    assert set(nodes()) == set(GROUPS) - {"cluster"}
    for config, words in [
        ({**nodes(), "modle": {}}, "modle: there is no such key. Did you mean model?"),
        ({**nodes(), "model": "lenet"}, "model: expected one of the group's choices, got 'lenet'. Type model=NAME"),
        ({**nodes(), "model": {}}, "model.name: a name is needed: type model=NAME"),
        ({**nodes(), "model": {"name": "none"}}, "model=none: the experiment isotropy needs a model"),
        ({**nodes(), "dataset": {"name": "none"}}, "dataset=none: the experiment isotropy needs a dataset"),
    ]:
        with pytest.raises(ConfigError) as caught:
            resolve(config)
        assert str(caught.value).startswith(words)


def test_what_an_experiment_does_not_use_is_refused_when_typed() -> None:
    config = {**nodes(), "attack": {"name": "none", "x": 1}}
    with pytest.raises(ConfigError, match=r"attack.x: the experiment isotropy uses no attack: leave it out"):
        resolve(config, frozenset({"attack.x"}))
    assert resolve(nodes(), frozenset({"attack.name", "attack"})).nodes["attack"] == {"name": "none"}


def test_the_archived_nodes_resolve_to_themselves() -> None:
    settings = changed(("probe.samples", 7))
    again = resolve(copy.deepcopy(settings.nodes))
    assert again.nodes == settings.nodes
    assert again.digest == settings.digest


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("run.output_root", "/elsewhere"), ("run.cache_root", "/elsewhere"), ("run.data_root", "/elsewhere"),
        ("run.dry", True), ("run.resume", True), ("run.device", "cpu"), ("run.batch_size", 7), ("run.download", False),
        ("run.max_nonfinite", 0.5),
    ],
)  # fmt: skip
def test_the_digest_does_not_depend_on_how_a_run_is_carried_out(key: str, value: Any) -> None:
    assert changed((key, value)).digest == changed().digest


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("run.seed", 1), ("run.preset", "tiny"), ("run.precision", "bf16"), ("probe.samples", 7), ("probe.trials", 50),
        ("probe.radii", [1.0]), ("probe.norm", "l2"), ("probe.clip", True), ("probe.confidence", 0.5),
        ("model.hidden", 300), ("dataset.split", "train"), ("recipe.epochs", 2), ("experiment.large", 0.2),
    ],
)  # fmt: skip
def test_the_digest_depends_on_what_is_measured(key: str, value: Any) -> None:
    assert changed((key, value)).digest != changed().digest


def test_the_digest_does_not_depend_on_the_order_or_the_writing_of_values() -> None:
    config = nodes()
    backwards = {group: dict(reversed(list(node.items()))) for group, node in reversed(list(config.items()))}
    assert resolve(backwards).digest == resolve(config).digest
    assert changed(("probe.trials", 100), ("probe.radii", [1, 2])).digest == changed(("probe.radii", [1.0, 2.0])).digest


def test_presets_scale_samples_and_leave_what_was_typed() -> None:
    assert changed().probe.samples == 300
    tiny, laptop = changed(("run.preset", "tiny")), changed(("run.preset", "laptop"))
    assert (tiny.probe.samples, laptop.probe.samples) == (3, 30)
    assert tiny.probe.trials == laptop.probe.trials == 100
    assert len(tiny.probe.radii) == len(laptop.probe.radii) == 21
    typed = changed(("run.preset", "tiny"), ("probe.samples", 7), explicit=frozenset({"probe.samples"}))
    assert typed.probe.samples == 7
    assert typed.nodes["probe"]["samples"] == 7


def test_defaults_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVLAB_DATA", "/my/data")
    monkeypatch.delenv("ADVLAB_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/my/cache")
    assert (RunParams().data_root, RunParams().cache_root) == ("/my/data", "/my/cache/advlab/artifacts")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert RunParams().path("cache_root").is_absolute()
    assert RunParams(device="cuda:1").device == "cuda:1"
