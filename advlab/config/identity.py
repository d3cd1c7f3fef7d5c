"""What a configuration means, whatever else could be configured: its digest, and the versions of its components.

The digest covers the components that are used, and of their parameters those that do not stand at their defaults. So a new
group or a new parameter changes no digest. A component whose defaults or whose algorithm change their meaning raises its
class attribute `version` (1 where there is none), which is part of the digest.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from advlab.config import components
from advlab.config.groups import COMPONENT_GROUPS, RUN
from advlab.config.run_options import RunParams
from advlab.config.schema import parameters
from advlab.store.sealed import canonical, sha256

#: what of the group `run` results depend on; the preset's values stand in the other groups
RUN_KEYS = ("seed", "precision")

Nodes = dict[str, dict[str, Any]]  # group -> its mapping, which YAML and OmegaConf call a node


class Named(NamedTuple):
    """A component in a configuration: where it stands (`attack`, `experiment.attacks.fgs`, `defense.0`), and its node."""

    place: str
    group: str
    node: Mapping[str, Any]
    is_member: bool = False  # of a chain


def named_components(nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[Named]:
    """Every component of an archived configuration but the choices `none`: of the groups, of chains and of lists."""
    for group in COMPONENT_GROUPS:
        node = nodes.get(group.name, {"name": "none"})
        if node["name"] != "none" and group.is_measured:
            yield from _with_members(Named(group.name, group.name, node))
    for key, listed in nodes.get("lists", {}).items():
        for name, groups in listed.items():
            for group_name, node in groups.items():
                if node["name"] != "none":
                    yield from _with_members(Named(f"{key}.{name}.{group_name}", group_name, node))


def _with_members(named: Named) -> Iterator[Named]:
    yield named
    for number, member in enumerate(chain_members(named.group, named.node)):
        yield from _with_members(Named(f"{named.place}.{number}", named.group, member, True))


def chain_members(group: str, node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The nodes of the defenses that a chain holds; empty for every other component."""
    return list(node.get("of", [])) if group == "defense" and node["name"] == "chain" else []


def component_class(group: str, node: Mapping[str, Any]) -> Any:
    """What makes the component of a node; every recipe, whatever its name is, is a `recipe`.

    Raises:
        ConfigError: no component has that name.
    """
    name = "recipe" if group == "recipe" and node["name"] != "none" else str(node["name"])
    return components.REGISTRIES[group].load(name)


def component_versions(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Place -> version of today, of the components whose version is not 1."""
    versions = {
        named.place: int(getattr(component_class(named.group, named.node), "version", 1))
        for named in named_components(nodes)
    }
    return {place: version for place, version in versions.items() if version != 1}


def default_parameters(component: Any) -> dict[str, Any]:
    """The defaults of a component's parameters; for an experiment, of its `Params`."""
    factory = getattr(component, "Params", component)
    if dataclasses.is_dataclass(factory):
        fields = [field for field in dataclasses.fields(factory) if field.init]
        made = {f.name: f.default_factory() for f in fields if f.default_factory is not dataclasses.MISSING}
        return made | {f.name: f.default for f in fields if f.default is not dataclasses.MISSING}
    empty = inspect.Parameter.empty
    return {name: p.default for name, p in parameters(factory).items() if p.default is not empty}


def essential_parameters(group: str, node: Mapping[str, Any]) -> dict[str, Any]:
    """The name of a component and its parameters that do not stand at their defaults, of a node with or without the others.

    >>> essential_parameters("attack", {"name": "deepfool", "norm": "l2", "max_iter": 7})
    {'name': 'deepfool', 'max_iter': 7}
    """
    defaults = default_parameters(component_class(group, node))
    changed = {key: value for key, value in node.items() if key not in defaults or not same_value(value, defaults[key])}
    if chain_members(group, node):
        changed["of"] = [essential_parameters(group, member) for member in node["of"]]
    return {"name": node["name"], **changed}


def same_value(a: Any, b: Any) -> bool:
    """Whether two parameters are the same once they are archived: a tuple is a list, 1 is 1.0, and True is not 1."""
    return isinstance(a, bool) == isinstance(b, bool) and bool(json.loads(canonical(a)) == json.loads(canonical(b)))


def is_component(value: Any) -> bool:
    """Whether a value is a component: an object with parameters."""
    return hasattr(value, "archived") or (dataclasses.is_dataclass(value) and not isinstance(value, type))


def component_key(component: Any) -> dict[str, Any]:
    """What a component is, for the keys of artifacts: its class, its version, and the parameters not at their defaults.

    A plug-in's has its registered name besides, which a packaged one may share.

    >>> from advlab.attacks import DeepFool
    >>> component_key(DeepFool(max_iter=7))
    {'class': 'DeepFool', 'version': 2, 'max_iter': 7}
    """
    members = getattr(component, "of", None)
    if isinstance(members, tuple) and members and all(map(is_component, members)):  # a chain
        return {"class": type(component).__qualname__, "of": [component_key(member) for member in members]}
    defaults = default_parameters(type(component))
    archived = archived_parameters(component)
    changed = {key: v for key, v in archived.items() if key not in defaults or not same_value(v, defaults[key])}
    version = getattr(component, "version", 1)
    key = {"class": type(component).__qualname__, **({"version": version} if version != 1 else {}), **changed}
    return {"plugin": str(getattr(component, "name", "")), **key} if hasattr(component, "function") else key


def archived_parameters(component: Any) -> dict[str, Any]:
    """A component's parameters as a plain mapping, defaults included; empty for what is no dataclass."""
    if hasattr(component, "archived"):  # a plug-in's, whose factory is code and not archived
        return dict(component.archived())
    if not dataclasses.is_dataclass(component) or isinstance(component, type):
        return {}
    return {f.name: getattr(component, f.name) for f in dataclasses.fields(component) if f.init}


def configuration_digest(nodes: Mapping[str, Mapping[str, Any]], versions: Mapping[str, int]) -> str:
    """Digest of what determines the results of a configuration.

    Args:
        nodes: as they are archived.
        versions: place -> version of the components whose version is not 1 (see `component_versions`).
    """
    content = {
        named.place: essential_parameters(named.group, named.node)
        for named in named_components(nodes)
        if not named.is_member  # whose parameters stand in their chain
    }
    for place, version in versions.items():
        content[place] = {**content.get(place, {}), "version": version}
    defaults = default_parameters(RunParams)
    run = {key: nodes[RUN][key] for key in RUN_KEYS if nodes[RUN].get(key, defaults[key]) != defaults[key]}
    return sha256(canonical({**content, RUN: run}))
