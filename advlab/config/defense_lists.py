"""`defense=[blur,noise]`: several defenses in order, as the component `chain`; `defense.blur.sigma=2` sets one's parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advlab.config.lists import ComposeChoice
from advlab.errors import ConfigError


def without_defense_list(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides that Hydra composes, and the names in the last `defense=[...]`, empty where there is none.

    Raises:
        ConfigError: the list is empty, or names something twice.

    >>> without_defense_list(["model=lenet", "defense=[blur,noise]"])
    (['model=lenet', 'defense=none'], ['blur', 'noise'])
    """
    single, names = [], []
    for text in overrides:
        key, _, value = text.partition("=")
        if key.lstrip("+~") != "defense":
            single.append(text)
            continue
        value = value.strip()
        if value.startswith("[") and key != "defense":
            raise ConfigError(f"{text!r}: a group has its choice already: type {text.lstrip('+~')}")
        names = [name.strip().strip("'\"") for name in value[1:-1].split(",")] if value.startswith("[") else []
        if names and (not all(names) or len(set(names)) < len(names)):
            raise ConfigError(f"{text!r} must name defenses, each once: type defense=[blur,noise] or defense=none")
        single.append(f"{key}=none" if names else text)
    names = [name for name in names if name != "none"]
    if names and any(text.lstrip("+~").startswith("defense.name=") for text in overrides):
        raise ConfigError("defense.name: several defenses are named by defense=[...]: leave it out")
    return single, names


def chain_node(names: Sequence[str], settings: Mapping[str, Any], compose_choice: ComposeChoice) -> dict[str, Any]:
    """The node of the chain of some defenses.

    Args:
        names: choices of the group, in order.
        settings: what the configuration says below `defense`: name -> parameter -> value.
        compose_choice: see `ComposeChoice`.

    Raises:
        ConfigError: a name is no choice, or a key belongs to none of them.
    """
    for key in settings:
        if key != "name" and key not in names:
            raise ConfigError(
                f"defense.{key}: of several defenses type defense.NAME.KEY=..., NAME one of {', '.join(names)}"
            )
    for name in names:
        if not isinstance(settings.get(name, {}), Mapping):
            raise ConfigError(f"defense.{name}: type defense.{name}.KEY=VALUE")
    return {
        "name": "chain",
        "of": [compose_choice("defense", name)["defense"] | dict(settings.get(name, {})) for name in names],
    }
