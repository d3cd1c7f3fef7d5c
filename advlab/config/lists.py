"""Lists of components in a component's parameters: `attacks: Annotated[list[str], ChoicesOf("attack")]`.

A user types names (`experiment.attacks=[fgs,hc1]`). Each is composed as GROUP=NAME would be, checked, archived with all its
parameters under `lists`, and handed over as an object. A variant with other parameters is a YAML file of its own.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from advlab.config.choices import default_choice, group_choices, read_choice
from advlab.config.identity import Nodes
from advlab.errors import ConfigError, suggest, suggest_choice

#: (group, choice) -> the nodes that GROUP=CHOICE sets: its own, and of a model also the recipe
ComposeChoice = Callable[[str, str], Nodes]


@dataclass(frozen=True)
class ChoicesOf:
    """Marks a list of texts as names of choices of a group."""

    group: str


@dataclass(frozen=True)
class Listed:
    """One entry of such a list.

    Attributes:
        name: as it is typed.
        component: the object; of a defense, an attack and so on its parameters, `NoComponent` for `none`.
        nodes: group -> node, of the groups that the choice sets.
    """

    name: str
    component: Any
    nodes: Nodes


def list_parameters(params: type) -> dict[str, str]:
    """Name of a parameter -> group, of the parameters of a dataclass that name components."""
    hints = typing.get_type_hints(params, include_extras=True)
    marks = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
    return {name: mark.group for name, found in marks.items() for mark in found if isinstance(mark, ChoicesOf)}


def packaged_choice(group: str, choice: str) -> Nodes:
    """The nodes that GROUP=CHOICE sets, from the packaged YAML files and from plug-ins alone.

    Raises:
        ConfigError: there is no such choice.
    """
    known = group_choices(group)
    if choice not in known:
        raise ConfigError(f"there is no {group} {choice!r}. {suggest_choice(group, choice, known)}")
    nodes = {group: read_choice(group, choice) or {"name": choice}}
    if group == "model":
        recipe = default_choice("model", choice, "recipe")
        nodes["recipe"] = {"name": recipe, **read_choice("recipe", recipe)} if recipe else {"name": "none"}
    return nodes


def composed_list(key: str, group: str, names: list[str], compose_choice: ComposeChoice) -> dict[str, Nodes]:
    """Name -> nodes of each entry of a list.

    Args:
        key: of the list, such as `experiment.attacks`, for messages.
        group: whose choices it names.
        names: as they are typed.
        compose_choice: see `ComposeChoice`.

    Raises:
        ConfigError: a name is there twice, or is no choice.
    """
    for name in names:
        if not name.strip():
            raise ConfigError(f"{key} names nothing: type {key}=[NAME,...]. {suggest(name, group_choices(group))}")
        if names.count(name) > 1:
            raise ConfigError(f"{key}: {name} is named twice: name each once")
    composed = {}
    for name in names:
        try:
            composed[name] = compose_choice(group, name)
        except ConfigError as error:
            raise ConfigError(f"{key}={name}: {error}") from error
    return composed
