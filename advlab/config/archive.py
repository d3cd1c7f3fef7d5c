"""What an archived configuration holds beside its groups, and its shape, checked before anything is made of it.

A configuration may come from a stranger's run directory or YAML file: its depth and its types are bounded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advlab.config import components
from advlab.errors import ConfigError

#: the components that lists name, with all their parameters; what was typed where it is not the component's name
LISTS, CHOICES = "lists", "choices"
MOST_MEMBERS, DEEPEST_CHAIN = 32, 4


def check_archive(config: Mapping[str, Any]) -> None:
    """Refuse lists, choices and chains of defenses that have not the shape in which they are archived.

    Raises:
        ConfigError: names the place.
    """
    choices = config.get(CHOICES, {})
    if not _is_mapping_of(choices, str) or not set(choices) <= set(components.REGISTRIES):
        raise ConfigError(f"{CHOICES}: expected group -> choice: leave it out, or start a new run")
    lists = config.get(LISTS, {})
    if not _is_mapping_of(lists, Mapping):
        raise ConfigError(f"{LISTS}: expected list -> name -> component: leave it out, or start a new run")
    for key, entries in lists.items():
        for name, groups in entries.items():
            if not _is_mapping_of(groups, Mapping) or not groups or not set(groups) <= set(components.REGISTRIES):
                raise ConfigError(f"{LISTS}.{key}.{name}: expected the nodes of its groups: start a new run")
            for group, node in groups.items():
                check_node(group, node, f"{LISTS}.{key}.{name}.{group}")
    defense = config.get("defense")
    if isinstance(defense, Mapping) and defense.get("name") == "chain":
        check_node("defense", defense, "defense")


def check_node(group: str, node: Mapping[str, Any], place: str, depth: int = 0) -> None:
    """Refuse a node without a name, and a chain whose members are none, or are nested too deeply.

    Raises:
        ConfigError: names the place.
    """
    if not isinstance(node.get("name"), str | int | float):
        raise ConfigError(f"{place}.name: a name is needed: type {group}=NAME")
    if group != "defense" or node["name"] != "chain":
        return
    members = node.get("of", [])
    if not isinstance(members, list | tuple) or not 1 <= len(members) <= MOST_MEMBERS or depth > DEEPEST_CHAIN:
        raise ConfigError(
            f"{place}.of: expected a list of 1 to {MOST_MEMBERS} defenses, at most {DEEPEST_CHAIN} lists in each other: type "
            "defense=[blur,noise]"
        )
    if set(node) != {"name", "of"}:
        raise ConfigError(f"{place}: several defenses have no keys of their own: type defense.NAME.KEY=VALUE")
    for number, member in enumerate(members):
        if isinstance(member, Mapping):
            check_node("defense", member, f"{place}.of[{number}]", depth + 1)
        elif not isinstance(member, str) or member == "chain":
            raise ConfigError(f"{place}.of[{number}]: expected a defense, got {member!r}: type defense=[blur,noise]")


def _is_mapping_of(value: Any, kind: type) -> bool:
    return isinstance(value, Mapping) and all(isinstance(k, str) and isinstance(v, kind) for k, v in value.items())
