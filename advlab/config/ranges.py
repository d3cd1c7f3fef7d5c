"""Ranges that stand in annotations, `steps: Annotated[int, Ge(1)] = 10`: checked, and put into words. Imports no torch.

The markers are those of the package annotated-types: Gt, Ge, Lt, Le and Interval. Choices are a `Literal`.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Annotated, Any, Literal

from annotated_types import BaseMetadata, Ge, GroupedMetadata, Gt, Le, Lt

from advlab.errors import ArgumentError

LARGEST_INT64, LARGEST_FLOAT32 = 2**63 - 1, 3.4028234663852886e38
WORDS = {Gt: "above", Ge: "at least", Lt: "below", Le: "at most"}


class InRange:
    """Base of a dataclass whose annotated ranges and choices are checked whenever one is made, from YAML or from Python.

    >>> from annotated_types import Ge
    >>> @dataclasses.dataclass(frozen=True, kw_only=True)
    ... class Params(InRange):
    ...     steps: Annotated[int, Ge(1)] = 10
    >>> Params(steps=0)
    Traceback (most recent call last):
    advlab.errors.ArgumentError: steps must be at least 1, got 0
    """

    def __post_init__(self) -> None:
        """Refuse values out of range; a subclass with checks of its own calls this first.

        Raises:
            ArgumentError: names the field and the range.
        """
        cls: Any = type(self)
        for name, hint in checked_fields(cls).items():
            check_value(name, getattr(self, name), hint)
            check_size(name, getattr(self, name))


@functools.cache
def checked_fields(cls: Any) -> dict[str, Any]:
    """Field -> its annotation, of those that have a range or choices."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if range_text(hints[field.name])}


def bounds_of(hint: Any) -> tuple[BaseMetadata, ...]:
    """The bounds of an annotation: of `Annotated[float, Gt(0)]`, or of the items of `list[Annotated[float, Gt(0)]]`.

    >>> bounds_of(Annotated[float, Gt(0), Lt(1)])
    (Gt(gt=0), Lt(lt=1))
    >>> bounds_of(list[Annotated[int, Ge(1)]])
    (Ge(ge=1),)
    """
    if typing.get_origin(hint) is Annotated:
        return tuple(_single_bounds(typing.get_args(hint)[1:]))
    return tuple(bound for inner in typing.get_args(hint) for bound in bounds_of(inner))


def _single_bounds(metadata: tuple[Any, ...]) -> Iterator[BaseMetadata]:
    for item in metadata:
        if isinstance(item, BaseMetadata) and type(item) in WORDS:
            yield item
        elif isinstance(item, GroupedMetadata):  # Interval
            yield from _single_bounds(tuple(item))


def choices_of(hint: Any) -> tuple[Any, ...]:
    """The choices of a `Literal`, or of the items of a list of it."""
    if typing.get_origin(hint) is Literal:
        return typing.get_args(hint)
    return choices_of(typing.get_args(hint)[0]) if typing.get_origin(hint) in (list, tuple) else ()


def check_value(name: str, value: Any, hint: Any) -> None:
    """Refuse a value, or a list or mapping with one, that is outside the range or none of the choices of its annotation.

    Raises:
        ArgumentError: names the field, the whole range and the value.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            check_value(f"{name}.{key}", item, hint)
        return
    bounds, choices = bounds_of(hint), choices_of(hint)
    for item in value if isinstance(value, list | tuple) else [value]:
        number = isinstance(item, Real)
        if (number and not all(_holds(bound, item) for bound in bounds)) or (choices and item not in choices):
            raise ArgumentError(f"{name} must be {range_text(hint)}, got {value!r}")


def check_size(name: str, value: Any) -> None:
    """Refuse numbers, in lists and mappings too, that no tensor holds: beyond float32, or whole numbers beyond 64 bits.

    Raises:
        ArgumentError: names the field and the limit.

    >>> check_size("initial", [1.0, 1e308])
    Traceback (most recent call last):
    advlab.errors.ArgumentError: initial must be at most 3.4e+38 in size, which float32 ends at, got 1e+308
    """
    if isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            check_size(name, item)
    elif isinstance(value, int) and abs(value) > LARGEST_INT64:
        raise ArgumentError(f"{name} must be at most {LARGEST_INT64} in size, which 64 bits end at, got {value}")
    elif isinstance(value, float) and LARGEST_FLOAT32 < abs(value) < float("inf"):
        raise ArgumentError(f"{name} must be at most 3.4e+38 in size, which float32 ends at, got {value:g}")


def _limit(bound: BaseMetadata) -> Any:
    return getattr(bound, type(bound).__name__.lower())


def _holds(bound: BaseMetadata, number: Any) -> bool:
    limit = _limit(bound)
    by_type = {Gt: number > limit, Ge: number >= limit, Lt: number < limit, Le: number <= limit}
    return bool(by_type[type(bound)])


def range_text(hint: Any) -> str:
    """The range or the choices of an annotation in words; empty where it has none.

    >>> range_text(Annotated[float, Ge(0), Le(1)]), range_text(list[Annotated[float, Gt(0), Lt(1)]])
    ('from 0 to 1', 'above 0 and below 1')
    >>> range_text(Literal["l2", "linf"]), range_text(int)
    ('one of l2, linf', '')
    """
    if choices := choices_of(hint):
        return f"one of {', '.join(map(str, choices))}"
    bounds = bounds_of(hint)
    if [type(bound) for bound in bounds] == [Ge, Le]:
        return f"from {_limit(bounds[0])} to {_limit(bounds[1])}"
    words = (f"{WORDS[type(bound)]} {_limit(bound)}" for bound in bounds)
    return " and ".join("finite" if text == "below inf" else text for text in words)
