"""One run's checked settings, made from a composed configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from advlab.config import components
from advlab.config.run_options import RunParams
from advlab.config.schema import construct, parameters
from advlab.errors import ConfigError, suggest
from advlab.store.sealed import canonical, sha256

GROUPS = ("dataset", "recipe", "model", "attack", "probe", "experiment", "run")


@dataclass(frozen=True)
class Settings:
    """One run's checked configuration: the components as objects and as the plain mapping that is archived."""

    dataset: Any
    recipe: Any
    model: Any
    attack: Any
    probe: Any
    experiment: Any
    run: RunParams
    nodes: dict[str, dict[str, Any]]
    choices: dict[str, str] = field(default_factory=dict)

    def chosen_name(self, group: str) -> str:
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
    for key in config:
        if key not in GROUPS:
            raise ConfigError(f"{key}: there is no such key. {suggest(str(key), GROUPS)}")
    nodes = {}
    for group in GROUPS:
        node = config.get(group, {} if group == "run" else {"name": "none"})
        if not isinstance(node, Mapping):
            raise ConfigError(f"{group}: expected one of the group's choices, got {node!r}. Type {group}=NAME")
        nodes[group] = dict(node)
        if group != "run" and "name" not in node:
            raise ConfigError(f"{group}.name: a name is needed: type {group}=NAME")
    run: RunParams = construct(RunParams, nodes["run"], "run")
    name = str(nodes["experiment"]["name"])
    experiment_class = components.EXPERIMENTS.load(name)
    for group in ("dataset", "recipe", "model", "attack", "probe"):
        if group in experiment_class.uses or (group == "recipe" and "model" in experiment_class.uses):
            if group in ("dataset", "model") and nodes[group]["name"] == "none":
                raise ConfigError(f"{group}=none: the experiment {name} needs a {group}: type {group}=NAME")
            continue
        if group in explicit and nodes[group]["name"] != "none":
            raise ConfigError(f"{group}={nodes[group]['name']}: the experiment {name} uses no {group}: leave it out")
        keys = sorted(key for key in explicit if key.startswith(f"{group}.") and key != f"{group}.name")
        if keys:
            raise ConfigError(f"{keys[0]}: the experiment {name} uses no {group}: leave it out")
        nodes[group] = {"name": "none"}
    built: dict[str, Any] = {}
    for group, registry in components.FAMILIES.items():
        if group == "recipe":  # dataset and model stand: the preset may look at them before the rest is built
            for key, value in experiment_class.presets(run.preset, built["dataset"], built["model"]).items():
                target, _, option = key.partition(".")
                if key not in explicit and nodes[target].get("name") != "none":
                    nodes[target][option] = value
        component = registry.load(component_name(group, nodes[group]))
        options = {
            key: value for key, value in nodes[group].items() if key != "name" or "name" in parameters(component)
        }
        if group == "experiment":
            built[group] = component(construct(component.Params, options, group))
            options = archived_parameters(built[group].params)
        else:
            built[group] = construct(component, options, group)
            options = archived_parameters(built[group]) or options
        nodes[group] = {"name": str(nodes[group]["name"]), **options}
    nodes["run"] = archived_parameters(run)
    named = {group: name for group, name in (choices or {}).items() if f"{group}.name" not in explicit}
    settings = Settings(**built, run=run, nodes=nodes, choices=named)
    settings.experiment.check(settings)
    return settings


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
