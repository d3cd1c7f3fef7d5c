"""Ranges that stand in annotations, `steps: Annotated[int, Ge(1)] = 10`: checked, and put into words. Imports no torch.

The markers are those of the package annotated-types: Gt, Ge, Lt, Le and Interval.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from collections.abc import Iterator
from typing import Annotated, Any

from annotated_types import BaseMetadata, Ge, GroupedMetadata, Gt, Le, Lt

from advlab.errors import ArgumentError

WORDS = {Gt: "above", Ge: "at least", Lt: "below", Le: "at most"}


class InRange:
    """Base of a dataclass whose annotated ranges are checked whenever one is made, from YAML or from Python.

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
        for name, bounds in bounded_fields(cls).items():
            check_range(name, getattr(self, name), bounds)


@functools.cache
def bounded_fields(cls: Any) -> dict[str, tuple[BaseMetadata, ...]]:
    """Field -> the bounds in its annotation, of those that have some; bounds of a list's items hold for each of them."""
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = {field.name for field in dataclasses.fields(cls) if field.init}
    bounds = {name: bounds_of(hint) for name, hint in hints.items() if name in fields}
    return {name: found for name, found in bounds.items() if found}


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


def check_range(name: str, value: Any, bounds: tuple[BaseMetadata, ...]) -> None:
    """Refuse a number, or a list with a number, that lies outside.

    Raises:
        ArgumentError: names the field, the whole range and the value.
    """
    for number in value if isinstance(value, list | tuple) else [value]:
        if isinstance(number, int | float) and not all(_holds(bound, number) for bound in bounds):
            raise ArgumentError(f"{name} must be {range_text(bounds)}, got {value}")


def _limit(bound: BaseMetadata) -> Any:
    return getattr(bound, type(bound).__name__.lower())


def _holds(bound: BaseMetadata, number: float) -> bool:
    limit = _limit(bound)
    by_type = {Gt: number > limit, Ge: number >= limit, Lt: number < limit, Le: number <= limit}
    return bool(by_type[type(bound)])


def range_text(bounds: tuple[BaseMetadata, ...]) -> str:
    """Bounds in words; empty where there are none.

    >>> range_text((Ge(0), Le(1))), range_text((Gt(0), Lt(1))), range_text((Ge(1),))
    ('from 0 to 1', 'above 0 and below 1', 'at least 1')
    """
    if [type(bound) for bound in bounds] == [Ge, Le]:
        return f"from {_limit(bounds[0])} to {_limit(bounds[1])}"
    return " and ".join(f"{WORDS[type(bound)]} {_limit(bound)}" for bound in bounds)
