"""From mappings to components: keys and values are checked against a signature and its annotations, without torch."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from advlab.config.ranges import check_size, check_value
from advlab.errors import ArgumentError, ConfigError, Faults, suggest

TYPE_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def parameters(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The configurable parameters of a component, by name, with annotations resolved."""
    # the annotations of a class that is no dataclass stand at its constructor
    target = factory if dataclasses.is_dataclass(factory) else constructor(factory)
    hints = typing.get_type_hints(target, include_extras=True)
    skipped = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        name: parameter.replace(annotation=hints.get(name, Any))
        for name, parameter in inspect.signature(factory).parameters.items()
        if parameter.kind not in skipped and name != "self"
    }


def constructor(factory: Callable[..., Any]) -> Callable[..., Any]:
    """The constructor of a class, a function itself."""
    # mypy: a subclass may have another __init__; here it is that of this very class which is asked for
    return factory.__init__ if inspect.isclass(factory) else factory  # type: ignore[misc]


def describe_factory(make: Any, keywords: Sequence[inspect.Parameter], doc: str, version: int = 1) -> None:
    """Let a function that takes any keywords be configured, described and versioned as if it had these.

    Args:
        make: makes a plug-in's component; changed in place.
        keywords: what it takes, with annotations resolved.
        doc: what `advlab describe` prints.
        version: of the component.
    """
    make.__signature__ = inspect.Signature(list(keywords))
    make.__annotations__ = {keyword.name: keyword.annotation for keyword in keywords}
    make.__doc__, make.version = doc, version


def keyword_parameters(
    kind: str, name: str, function: Callable[..., Any], taken: Sequence[str]
) -> list[inspect.Parameter]:
    """The parameters of a plug-in's function, or of a class's constructor, as keywords with annotations resolved.

    Annotations that cannot be resolved (names imported for type checkers only) are Any.

    Raises:
        ConfigError: a parameter has a name that every component of this kind has, or is positional only.
    """
    target = constructor(function)
    names = {**getattr(target, "__globals__", {}), **getattr(target, "__builtins__", {})}
    own = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.name in taken or parameter.kind is parameter.POSITIONAL_ONLY:
            why = "every one has it" if parameter.name in taken else "it cannot be given by name"
            raise ConfigError(f"the {kind} {name} has a parameter {parameter.name!r}, but {why}: rename or change it")
        hint = Any if parameter.annotation is parameter.empty else parameter.annotation
        if isinstance(hint, str):
            try:
                hint = eval(hint, names)  # the plug-in's own code, as typing.get_type_hints does it
            except Exception:
                hint = Any
        own.append(parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hint))
    return own


def construct(factory: Callable[..., Any], node: Mapping[str, Any], where: str) -> Any:
    """Call `factory` with the checked and converted entries of `node`.

    Ranges in its annotations are checked here too: a plug-in's function need not be an `InRange`.

    Raises:
        ConfigError: an unknown key (near names offered), a missing one, a wrong type, a value out of range, or a value that
            the factory refuses by an ArgumentError.
    """
    known = parameters(factory)
    arguments: dict[str, Any] = {}
    faults = Faults()
    for key, value in node.items():
        with faults.collected():
            if key not in known:
                raise ConfigError(f"{where}.{key}: there is no such key. {suggest(str(key), known)}")
            arguments[key] = convert(value, known[key].annotation, f"{where}.{key}")
    faults.tell()
    missing = [key for key, p in known.items() if p.default is inspect.Parameter.empty and key not in arguments]
    if missing:
        raise ConfigError(f"{where}.{missing[0]}: a value is needed: type {where}.{missing[0]}=...")
    try:
        for key, value in arguments.items():
            check_value(key, value, known[key].annotation)
            check_size(key, value)
        return factory(**arguments)
    except ArgumentError as error:
        raise ConfigError(f"{where}: {error}") from error


def convert(value: Any, hint: Any, where: str) -> Any:
    """`value` as the annotation `hint` wants it; a scalar becomes a list of one.

    Raises:
        ConfigError: the value has another type.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is Annotated:  # its range is checked by `construct`, with the key's name in the message
        return convert(value, inner[0], where)
    if origin is Literal:
        if value not in inner or isinstance(value, bool):
            raise ConfigError(f"{where}: {value!r} is no choice. {suggest(str(value), map(str, inner))}")
        return inner[inner.index(value)]  # 1 for 1.0
    if origin in (list, tuple):
        items = value if isinstance(value, list | tuple) else [value]
        converted = [convert(item, inner[0] if inner else Any, f"{where}[{i}]") for i, item in enumerate(items)]
        return converted if origin is list else tuple(converted)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected a mapping, got {value!r} ({type(value).__name__})")
        return {str(key): convert(item, inner[1], f"{where}.{key}") for key, item in value.items()}
    if origin in (typing.Union, types.UnionType):
        for option in inner:
            try:
                return convert(value, option, where)
            except ConfigError:
                continue
    number = isinstance(value, int | float) and not isinstance(value, bool)
    finite = number and abs(value) <= sys.float_info.max
    is_of_type = {
        bool: isinstance(value, bool),
        int: finite and value == int(value),
        float: finite,
        str: isinstance(value, str | int | float) and not isinstance(value, bool),
    }
    if not is_of_type.get(hint, False):
        wanted = TYPE_WORDS.get(hint, str(hint))
        raise ConfigError(f"{where}: expected {wanted}, got {value!r} ({type(value).__name__}){as_decimal(value)}")
    return hint(value)


def as_decimal(value: Any) -> str:
    """What to type in place of a fraction such as 8/255; empty for anything else.

    >>> as_decimal("8/255")
    ': type 0.0313725'
    """
    fraction = re.fullmatch(r"(\d{1,9})/(\d{1,9})", value) if isinstance(value, str) else None
    return f": type {int(fraction[1]) / int(fraction[2]):.6g}" if fraction and int(fraction[2]) else ""
