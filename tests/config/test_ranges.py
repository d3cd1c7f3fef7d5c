"""Ranges in annotations: what is inside and outside of each kind, from Python and from YAML, and how they read."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt

from advlab.config import components
from advlab.config.ranges import InRange, bounds_of, range_text
from advlab.config.schema import construct, convert, parameters
from advlab.errors import AdvlabError, ArgumentError, ConfigError
from tests.helpers.parameters import required


@dataclass(frozen=True, kw_only=True)
class Base(InRange):
    steps: Annotated[int, Ge(1)] = 10
    share: Annotated[float, Gt(0), Lt(1)] = 0.5


@dataclass(frozen=True, kw_only=True)
class Every(Base):
    """One field of each kind; the range of a field of the base is narrower here."""

    kind: ClassVar[str] = "not a field"
    steps: Annotated[int, Ge(2)] = 10
    size: Annotated[int, Interval(ge=2, le=4)] = 3
    rate: Annotated[float, Gt(0), Lt(math.inf)] = 0.1
    most: Annotated[float, Gt(0), Le(1)] = 1.0
    radii: list[Annotated[float, Gt(0)]] = field(default_factory=lambda: [1.0])
    scores: dict[str, Annotated[float, Interval(ge=0, le=1)]] = field(default_factory=dict)
    norm: Literal["l2", "linf"] = "l2"
    norms: list[Literal["l2", "linf"]] = field(default_factory=lambda: ["l2"])
    free: float = 0.0


class Outer:
    @dataclass(frozen=True, kw_only=True)
    class Params(InRange):
        grid: Annotated[int, Ge(3)] = 5


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"steps": 1}, "steps must be at least 2, got 1"),
        ({"share": 0.0}, "share must be above 0 and below 1, got 0.0"),
        ({"share": 1.0}, "share must be above 0 and below 1, got 1.0"),
        ({"share": math.nan}, "share must be above 0 and below 1, got nan"),
        ({"size": 1}, "size must be from 2 to 4, got 1"),
        ({"size": 5}, "size must be from 2 to 4, got 5"),
        ({"size": np.int64(5)}, "size must be from 2 to 4"),
        ({"rate": math.inf}, "rate must be above 0 and finite, got inf"),
        ({"rate": math.nan}, "rate must be above 0 and finite, got nan"),
        ({"most": 1.5}, "most must be above 0 and at most 1, got 1.5"),
        ({"radii": [1.0, 0.0]}, "radii must be above 0, got [1.0, 0.0]"),
        ({"radii": [math.nan]}, "radii must be above 0, got [nan]"),
        ({"scores": {"mnist": 99.0}}, "scores.mnist must be from 0 to 1, got 99.0"),
        ({"norm": "l3"}, "norm must be one of l2, linf, got 'l3'"),
        ({"norms": ["l2", "l3"]}, "norms must be one of l2, linf, got ['l2', 'l3']"),
    ],
)
def test_what_lies_outside_is_named_with_its_range(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Every(**values)
    assert said in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, AdvlabError)


def test_what_lies_inside_is_taken() -> None:
    Every(steps=2, share=1e-9, size=2, rate=1e9, most=1.0, radii=[], scores={"a": 0.0}, norms=[], free=math.nan)
    Every(share=math.nextafter(1, 0), size=4, scores={"a": 1.0}, norm="linf", norms=["linf", "l2"], free=-math.inf)
    assert Base(steps=1).steps == 1


def test_annotations_of_a_nested_class_resolve() -> None:
    with pytest.raises(ArgumentError, match="grid must be at least 3, got 2"):
        Outer.Params(grid=2)


def test_from_yaml_the_group_is_named_too() -> None:
    with pytest.raises(ConfigError, match=r"^probe: radii must be above 0, got \[-1.0\]"):
        construct(Every, {"radii": -1}, "probe")
    assert construct(Every, {"radii": 2, "steps": 4.0}, "probe") == Every(radii=[2.0], steps=4)


def test_a_function_of_a_plug_in_may_have_ranges() -> None:
    calls = []

    def build(*, width: Annotated[int, Ge(1)] = 3, rates: list[Annotated[float, Gt(0)]] = [1.0]) -> int:  # noqa: B006
        calls.append(width)
        return width

    assert construct(build, {"width": 2, "rates": 1}, "model") == 2
    cases: list[tuple[dict[str, Any], str]] = [
        ({"width": 0}, "model: width must be at least 1, got 0"),
        ({"rates": [1, 0]}, "model: rates must be above 0"),
        ({"width": "x"}, "model.width: expected a whole number"),
    ]
    for node, said in cases:
        with pytest.raises(ConfigError) as caught:
            construct(build, node, "model")
        assert str(caught.value).startswith(said)
    assert calls == [2]


def test_conversion_looks_through_the_range() -> None:
    assert convert(3.0, Annotated[int, Ge(1)], "a.b") == 3
    assert convert(3, list[Annotated[float, Gt(0)]], "a.b") == [3.0]
    assert convert(1.0, Literal[0, 1, 3], "a.b") == 1
    assert type(convert(1.0, Literal[0, 1, 3], "a.b")) is int
    with pytest.raises(ConfigError, match=r"a.b\[1\]: expected a number"):
        convert([1, "x"], list[Annotated[float, Gt(0)]], "a.b")


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Annotated[int, Ge(1)], "at least 1"),
        (Annotated[float, Gt(0), Le(1)], "above 0 and at most 1"),
        (Annotated[int, Interval(ge=3, le=1001)], "from 3 to 1001"),
        (dict[str, Annotated[float, Gt(0)]], "above 0"),
        (Annotated[float, "a remark"], ""),
        (Literal["a"], "one of a"),
        (float, ""),
        (Any, ""),
    ],
)
def test_words(hint: Any, words: str) -> None:
    assert range_text(hint) == words


@pytest.mark.parametrize("group", [group for group in components.REGISTRIES if group != "defense"])
def test_every_number_that_is_tried_outside_of_its_range_is_refused(group: str) -> None:
    """Each range of each packaged component is in force, whatever its own `__post_init__` does."""
    tried = 0
    for name in components.REGISTRIES[group].names():
        component = components.REGISTRIES[group].load(name)
        component = component.Params if group == "experiment" else component
        if not issubclass(component, InRange):
            continue
        for key, parameter in parameters(component).items():
            bounds = bounds_of(parameter.annotation)
            if bounds and "dict" not in str(parameter.annotation):
                value: Any = [math.nan] if "list" in str(parameter.annotation) else math.nan
                with pytest.raises(ArgumentError, match=f"^{key} must be "):
                    component(**required(component) | {key: value})
                tried += 1
    assert tried > 0
