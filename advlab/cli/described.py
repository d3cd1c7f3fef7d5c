"""What `advlab list` and `advlab describe` say, as data: the choices of the groups, and each one's parameters and columns.

`advlab list --json` prints

    {"format": "advlab-list", "version": 1,
     "groups": [{"group", "plural", "choices": [{"name", "headline"}]}]}

and `advlab describe NAME --json`, with an entry for each group that has a choice of that name,

    {"format": "advlab-describe", "version": 1, "name",
     "choices": [{"group", "name", "component", "version", "title", "paper", "description", "groups", "parameters",
                  "of_other_groups": [{"group", "name", "parameters"}], "columns": [{"name", "type", "explanation"}],
                  "cost", "presets", "commands"}]}

where what only experiments have (from `paper` on, but for `parameters`, `description` and `commands`) is empty for others, and
a parameter is {"name", "key", "type", "default", "required", "range", "values", "names_of", "explanation"}: `key` is what is
typed, `range` the allowed values in words, `values` them all where they are few, and `names_of` the group whose choices it
names. Keys may be added; none is taken away or changes its meaning without another `version`.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from advlab.cli.field_comments import field_comments
from advlab.config.groups import COMPONENT_GROUPS
from advlab.config.lists import ChoicesOf
from advlab.config.ranges import choices_of, range_text
from advlab.config.schema import parameters

KINDS = {int: "integer", float: "number", bool: "boolean", str: "text", Any: "any"}


@dataclasses.dataclass(frozen=True)
class Described:
    """A parameter of a component.

    Attributes:
        name, key: by itself, and as it is typed.
        type: in words.
        default: of the choice.
        required: whether there is no default.
        range: what is allowed, in words; each of a list.
        values: what is allowed, where that is a few values.
        names_of: the group whose choices it names; empty: none.
        explanation: from the source.
    """

    name: str
    key: str
    type: str
    default: Any
    required: bool
    range: str
    values: list[Any]
    names_of: str
    explanation: str


def described_parameters(group: str, component: Any, node: Mapping[str, Any]) -> list[Described]:
    """The parameters of a component; a choice's own values replace the defaults.

    Args:
        group: whose component it is.
        component: a class or function.
        node: what the YAML file of the choice says.
    """
    notes = field_comments(component)
    described = []
    for name, parameter in parameters(component).items():
        default = parameter.default
        if dataclasses.is_dataclass(component):
            field = {f.name: f for f in dataclasses.fields(component)}[name]
            default = field.default_factory() if callable(field.default_factory) else field.default
        value = node.get(name, default)
        required = value is inspect.Parameter.empty or value is dataclasses.MISSING
        hint = parameter.annotation
        described.append(
            Described(
                name,
                f"{group}.{name}",
                type_text(hint),
                None if required else value,
                required,
                range_text(hint),
                list(choices_of(hint)),
                listed_group(hint),
                notes.get(name, ""),
            )
        )
    return described


def listed_group(annotation: Any) -> str:
    """The group whose choices a parameter names; empty of other parameters."""
    marks = [mark.group for mark in getattr(annotation, "__metadata__", ()) if isinstance(mark, ChoicesOf)]
    return next((group.name for group in COMPONENT_GROUPS if group.name in marks), "")


def type_text(hint: Any) -> str:
    """An annotation in words.

    >>> type_text(list[Annotated[float, "above 0"]]), type_text(Literal["l2", "linf"]), type_text(int | None)
    ('list of number', 'text', 'integer or nothing')
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return type_text(inner[0])
    if origin is Literal:
        return " or ".join(dict.fromkeys(type_text(type(value)) for value in inner))
    if origin in (list, tuple):
        return f"list of {type_text(inner[0])}" if inner else "list"
    if origin is dict:
        return "mapping"
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(type_text, inner))
    if hint is type(None):
        return "nothing"
    return KINDS.get(hint, getattr(hint, "__name__", str(hint)))


def described_columns(row_type: type) -> list[dict[str, str]]:
    """Name, type and explanation of the columns of an experiment's table."""
    notes, hints = field_comments(row_type), typing.get_type_hints(row_type)
    return [
        {"name": field.name, "type": type_text(hints[field.name]), "explanation": notes.get(field.name, "")}
        for field in dataclasses.fields(row_type)
    ]


def as_json(form: str, content: Mapping[str, Any]) -> str:
    """The document of a verb, with its name and version."""
    document = plain({"format": f"advlab-{form}", "version": 1, **content})
    return json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers that it has not, and what is of a kind of its own, become text."""
    if isinstance(value, Described):
        return plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value if value is None or isinstance(value, str | int | float) else str(value)
