"""One run's checked settings, made from a composed configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from advlab.config import components
from advlab.config.groups import COMPONENT_GROUPS, GROUPS, RUN
from advlab.config.run_options import RunParams
from advlab.config.schema import construct, parameters
from advlab.errors import ConfigError, suggest
from advlab.store.sealed import canonical, sha256

Nodes = dict[str, dict[str, Any]]  # group -> its mapping, which YAML and OmegaConf call a node


@dataclass(frozen=True)
class Settings:
    """One run's checked configuration: the components as objects, and as the plain mappings that are archived.

    Attributes:
        dataset, model, recipe, defense, attack, probe, experiment: the components; `NoComponent` for the choice `none`.
        run: how the run is carried out.
        nodes: for each group the name and all parameters, defaults included: config.yaml.
        choices: group -> what a user typed for it, where that is not the component's name.
    """

    dataset: Any
    model: Any
    recipe: Any
    defense: Any
    attack: Any
    probe: Any
    experiment: Any
    run: RunParams
    nodes: Nodes
    choices: dict[str, str] = field(default_factory=dict)

    def choice_name(self, group: str) -> str:
        """What a user types for a group: `hc` of `attack=hc`, which makes a `hot_cold`; its name where that is unknown."""
        return self.choices.get(group, str(self.nodes[group]["name"]))

    @property
    def digest(self) -> str:
        """Digest of what determines the results: every group, and of `run` the seed, preset and precision."""
        run = {key: self.nodes["run"][key] for key in ("seed", "preset", "precision", "accuracy_images")}
        return sha256(canonical({**self.nodes, "run": run}))


def resolve(
    config: Mapping[str, Any], explicit: frozenset[str] = frozenset(), choices: Mapping[str, str] | None = None
) -> Settings:
    """Check a composed configuration and build its components.

    Args:
        config: one mapping per group, each with a `name` (but `run`).
        explicit: the dotted keys and group names that the user set; presets leave those alone.
        choices: group -> the YAML file or component that was chosen, for messages; nothing is archived of it.

    Raises:
        ConfigError: anything unknown, missing, of a wrong type or out of range.
    """
    nodes = checked_nodes(config)
    run: RunParams = construct(RunParams, nodes["run"], "run")
    experiment_class = components.REGISTRIES["experiment"].load(str(nodes["experiment"]["name"]))
    drop_unused_groups(nodes, experiment_class, explicit)
    built: dict[str, Any] = {}
    for group in components.REGISTRIES:
        # presets may look at dataset and model, and set keys of the groups that are built from here on
        if group == "recipe":
            presets = experiment_class.presets(run.preset, built["dataset"], built["model"])
            apply_presets(nodes, presets, explicit)
        built[group], nodes[group] = build_component(group, nodes[group])
    nodes["run"] = archived_parameters(run)
    chosen = {group: name for group, name in (choices or {}).items() if f"{group}.name" not in explicit}
    settings = Settings(**built, run=run, nodes=nodes, choices=chosen)
    settings.experiment.check(settings)
    return settings


def checked_nodes(config: Mapping[str, Any]) -> Nodes:
    """A copy of a configuration with a mapping for every group, `none` where it has none.

    Raises:
        ConfigError: an unknown group, one that is no mapping, or one without a name.
    """
    for key in config:
        if key not in GROUPS:
            raise ConfigError(f"{key}: there is no such key. {suggest(str(key), GROUPS)}")
    nodes = {}
    for group in GROUPS:
        node = config.get(group, {} if group == RUN else {"name": "none"})
        if not isinstance(node, Mapping):
            raise ConfigError(f"{group}: expected one of the group's choices, got {node!r}. Type {group}=NAME")
        nodes[group] = dict(node)
        if group != RUN and "name" not in node:
            raise ConfigError(f"{group}.name: a name is needed: type {group}=NAME")
    return nodes


def drop_unused_groups(nodes: Nodes, experiment_class: Any, explicit: frozenset[str]) -> None:
    """Set the groups that an experiment does not use to `none`, in place.

    Raises:
        ConfigError: the user chose something in one of them, or `none` in a group that is needed.
    """
    experiment = nodes["experiment"]["name"]
    for declared in COMPONENT_GROUPS:
        group = declared.name
        if group == "experiment":
            continue
        if group in experiment_class.uses or declared.with_group in experiment_class.uses:
            if group in ("dataset", "model") and nodes[group]["name"] == "none":
                raise ConfigError(f"{group}=none: the experiment {experiment} needs a {group}: type {group}=NAME")
            continue
        if group in explicit and nodes[group]["name"] != "none":
            raise ConfigError(
                f"{group}={nodes[group]['name']}: the experiment {experiment} uses no {group}: leave it out"
            )
        keys = sorted(key for key in explicit if key.startswith(f"{group}.") and key != f"{group}.name")
        if keys:
            raise ConfigError(f"{keys[0]}: the experiment {experiment} uses no {group}: leave it out")
        nodes[group] = {"name": "none"}


def apply_presets(nodes: Nodes, presets: Mapping[str, Any], explicit: frozenset[str]) -> None:
    """Set the dotted keys of a preset, in place: not those that the user set, nor those of a group that is `none`."""
    for dotted_key, value in presets.items():
        group, _, key = dotted_key.partition(".")
        if dotted_key not in explicit and nodes[group].get("name") != "none":
            nodes[group][key] = value


def build_component(group: str, node: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The component of a group, and its name with all parameters, as they are archived.

    Raises:
        ConfigError: an unknown name, or keys and values that it does not take.
    """
    component = components.REGISTRIES[group].load(component_name(group, node))
    options = {key: value for key, value in node.items() if key != "name" or "name" in parameters(component)}
    if group == "experiment":
        built = component(construct(component.Params, options, group))
        options = archived_parameters(built.params)
    else:
        built = construct(component, options, group)
        options = archived_parameters(built) or options
    return built, {"name": str(node["name"]), **options}


def component_name(group: str, node: Mapping[str, Any]) -> str:
    """The registered name of a node: its `name`, but every recipe, whatever it is called, is a `recipe`."""
    return "recipe" if group == "recipe" and node["name"] != "none" else str(node["name"])


def archived_parameters(component: Any) -> dict[str, Any]:
    """A component's parameters as a plain mapping, defaults included; empty for what is no dataclass."""
    if hasattr(component, "archived"):  # a plug-in's, whose factory is code and not archived
        return dict(component.archived())
    if not dataclasses.is_dataclass(component) or isinstance(component, type):
        return {}
    return {f.name: getattr(component, f.name) for f in dataclasses.fields(component) if f.init}
