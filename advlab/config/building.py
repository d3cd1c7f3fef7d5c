"""From the nodes of a configuration to components: those of the groups, of chains of defenses and of lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advlab.config import components
from advlab.config.archive import CHOICES, LISTS, check_node
from advlab.config.identity import Nodes, archived_parameters, chain_members, component_class
from advlab.config.lists import ComposeChoice, Listed, composed_list, list_parameters, packaged_choice
from advlab.config.schema import construct, parameters
from advlab.errors import ArgumentError, ConfigError


def build_component(
    group: str, node: Mapping[str, Any], compose_choice: ComposeChoice = packaged_choice
) -> tuple[Any, dict[str, Any]]:
    """The component of a group, and its name with all parameters, as they are archived.

    Raises:
        ConfigError: an unknown name, or keys and values that it does not take.
    """
    component = component_class(group, node)
    options = {key: value for key, value in node.items() if key != "name" or "name" in parameters(component)}
    if chain_members(group, node):
        return build_chain(component, node, compose_choice)
    if group == "experiment":
        built = component(construct(component.Params, options, group))
        options = archived_parameters(built.params)
    else:
        built = construct(component, options, group)
        options = archived_parameters(built) or options
    return built, {"name": str(node["name"]), **options}


def build_chain(chain: Any, node: Mapping[str, Any], compose_choice: ComposeChoice) -> tuple[Any, dict[str, Any]]:
    """Several defenses in order, from their nodes or their names; `none` among them drops out."""
    members = [compose_choice("defense", of)["defense"] if isinstance(of, str) else of for of in node["of"]]
    for member in members:
        check_node("defense", member, "defense", depth=1)
        if any(isinstance(of, str) for of in chain_members("defense", member)):
            raise ConfigError(f"defense={member['name']}: a list of defenses holds no list of names: name its members")
    built = [build_component("defense", member, compose_choice) for member in members if member["name"] != "none"]
    return construct_chain(chain, [defense for defense, _ in built]), {
        "name": "chain",
        "of": [archived for _, archived in built],
    }


def construct_chain(chain: Any, members: list[Any]) -> Any:
    """The chain of some defenses.

    Raises:
        ConfigError: they do not go behind each other.
    """
    try:
        return chain(of=tuple(members))
    except ArgumentError as error:
        raise ConfigError(f"defense: {error}") from error


def listed_components(
    nodes: Nodes, params: type, archived: Mapping[str, Mapping[str, Nodes]], compose_choice: ComposeChoice
) -> dict[str, dict[str, Listed]]:
    """The components that the lists of an experiment name; their nodes are put under `lists` of `nodes`.

    Args:
        nodes: with those of the experiment, defaults included; changed in place.
        params: the dataclass of the experiment's parameters.
        archived: `experiment.PARAMETER` -> name -> nodes, of an archived configuration.
        compose_choice: gives the nodes of other names.

    Raises:
        ConfigError: a name is no choice, or is there twice.
    """
    lists: dict[str, dict[str, Listed]] = {}
    for parameter, group in list_parameters(params).items():
        key, names = f"experiment.{parameter}", nodes["experiment"][parameter]
        if not names and default_names(params, parameter):
            example = ",".join(default_names(params, parameter))
            raise ConfigError(
                f"{key}=[] names no {group}, and there would be nothing to measure: type {key}=[{example}]"
            )
        kept = archived.get(key, {})
        composed = {name: kept[name] for name in names} if set(names) <= set(kept) else None
        composed = composed or composed_list(key, group, names, compose_choice)
        lists[parameter] = {}
        for name, of_name in composed.items():
            try:
                built = {other: build_component(other, node, compose_choice) for other, node in of_name.items()}
            except ConfigError as error:
                raise ConfigError(f"{key}={name}: {error}") from error
            archive = {other: node for other, (_, node) in built.items()}
            lists[parameter][name] = Listed(name, built[group][0], archive)
            nodes.setdefault(LISTS, {}).setdefault(key, {})[name] = archive
    return lists


def default_names(params: type, parameter: str) -> list[str]:
    """What a list of an experiment names by itself; a list that may be empty names nothing."""
    factory = params.__dataclass_fields__[parameter].default_factory  # type: ignore[attr-defined]  # a dataclass
    return list(factory()) if callable(factory) else []


def add_choices(nodes: Nodes, typed: Mapping[str, str]) -> None:
    """Archive what was typed for a group where it is not its component's name, in place; of several defenses `a+b`."""
    differing = {}
    for group, choice in typed.items():
        if group in components.REGISTRIES and nodes.get(group, {"name": "none"})["name"] != "none":
            members = chain_members(group, nodes[group])
            name = "+".join(member["name"] for member in members) if members else nodes[group]["name"]
            if name != choice:
                differing[group] = str(choice)
    if differing:
        nodes[CHOICES] = differing
