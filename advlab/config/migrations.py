"""The one table of keys that have been renamed, so that configurations and artifacts of earlier versions are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advlab.config import components
from advlab.config.archive import LISTS
from advlab.config.identity import chain_members, essential_parameters
from advlab.errors import AdvlabError

#: (group, registered name of the component; of every recipe `recipe`) -> former key -> key of today
RENAMED_KEYS: dict[tuple[str, str], dict[str, str]] = {}


def renamed_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration, composed or archived, with the keys of today, also in its lists and chains."""
    renamed = {group: renamed_in_node(group, node) for group, node in config.items() if group != LISTS}
    if LISTS in config:
        renamed[LISTS] = {
            key: {
                name: {group: renamed_in_node(group, node) for group, node in groups.items()}
                for name, groups in entries.items()
            }
            for key, entries in config[LISTS].items()
        }
    return renamed


def renamed_in_node(group: str, node: Any) -> Any:
    """The node of one component with the keys of today; what is no mapping stays as it is."""
    if not isinstance(node, Mapping):
        return node
    former = former_names(group, node)
    renamed = {former.get(key, key): value for key, value in node.items()}
    if chain_members(group, node):
        renamed["of"] = [renamed_in_node(group, member) for member in node["of"]]
    return renamed


def former_names(group: str, node: Mapping[str, Any]) -> dict[str, str]:
    """Former key -> key of today, of a node's component; every recipe, whatever its name is, is a `recipe`."""
    return RENAMED_KEYS.get((group, "recipe" if group == "recipe" else str(node.get("name"))), {})


def renamed_explicit(config: Mapping[str, Any], explicit: frozenset[str]) -> frozenset[str]:
    """The dotted keys that a user set, by their names of today."""

    def today(dotted: str) -> str:
        group, _, key = dotted.partition(".")
        node = config.get(group)
        return f"{group}.{former_names(group, node).get(key, key)}" if key and isinstance(node, Mapping) else dotted

    return frozenset(map(today, explicit))


def key_of_today(kind: str, key: Mapping[str, Any]) -> Mapping[str, Any]:
    """The key under which an artifact is looked for today, from the one that it was stored under.

    Version 0.1 put every parameter of a component into the keys of trained weights and of neighbourhoods; today those that
    stand at their defaults are left out. The split of the images whose features' ranges were taken stood only in their order.
    A key that names a component which is not there stays as it is.

    Args:
        kind: of the artifact.
        key: as it was stored.
    """
    try:
        if kind == "weights" and "parameters" in key and "recipe" in key:
            return {
                **key,
                "parameters": weights_parameters(key["model"], key["parameters"]),
                "recipe": recipe_parameters(key["recipe"]),
            }
        if kind == "neighbourhood" and "model" in key:
            return {**key, "model": essential_parameters("model", renamed_in_node("model", key["model"]))}
        if kind == "feature_ranges" and "split" not in key:
            return {**key, "split": key["order"].rpartition("/")[0]}
    except (AdvlabError, TypeError, AttributeError, KeyError):
        return key
    return key


def weights_parameters(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A model's parameters as keys of trained weights hold them: those not at their defaults; `allow` changes no weights."""
    if name not in components.REGISTRIES["model"]:  # made in Python, under a name of its own
        return dict(parameters)
    essential = essential_parameters("model", renamed_in_node("model", {**parameters, "name": name}))
    return {key: value for key, value in essential.items() if key not in ("name", "allow")}


def recipe_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's parameters as keys of trained weights hold them; its name and the expected accuracies change no weights."""
    essential = essential_parameters(
        "recipe", renamed_in_node("recipe", {**parameters, "name": "recipe", "expected": {}})
    )
    return {key: value for key, value in essential.items() if key not in ("name", "expected")}
