"""One run's checked settings, made from a composed configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from advlab.config import components
from advlab.config.archive import CHOICES, LISTS, check_archive
from advlab.config.building import add_choices, build_component, listed_components
from advlab.config.cluster_choice import check_chosen, cluster_of
from advlab.config.compatibility import check_compatibility
from advlab.config.groups import CLUSTER, COMPONENT_GROUPS, GROUPS, RUN
from advlab.config.identity import (
    Nodes,
    archived_parameters,
    chain_members,
    component_versions,
    configuration_digest,
)
from advlab.config.lists import ComposeChoice, Listed, packaged_choice
from advlab.config.migrations import renamed_explicit, renamed_keys
from advlab.config.run_options import RunParams
from advlab.config.schema import construct
from advlab.errors import AdvlabError, ConfigError, Faults, suggest


@dataclass(frozen=True)
class Settings:
    """One run's checked configuration: the components as objects, and as the plain mappings that are archived.

    Attributes:
        dataset, model, recipe, defense, attack, probe, experiment: the components; `NoComponent` for the choice `none`.
        cluster: who carries the run out: `NoComponent` is this process alone. It is not archived.
        run: how the run is carried out.
        nodes: for each other group the name and all parameters, defaults included; under `lists` those of the components that
            lists name, under `choices` what was typed where it is not the component's name: config.yaml.
        lists: parameter of the experiment -> name -> the component that it names.
    """

    dataset: Any
    model: Any
    recipe: Any
    defense: Any
    attack: Any
    probe: Any
    experiment: Any
    cluster: Any
    run: RunParams
    nodes: Nodes
    lists: dict[str, dict[str, Listed]] = field(default_factory=dict)

    def choice_name(self, group: str) -> str:
        """What a user types for a group: `hc` of `attack=hc`, which makes a `hot_cold`."""
        return str(self.nodes.get(CHOICES, {}).get(group, self.nodes[group]["name"]))

    @cached_property
    def versions(self) -> dict[str, int]:
        """Place -> version of the components whose version is not 1."""
        return component_versions(self.nodes)

    @cached_property
    def digest(self) -> str:
        """Digest of what determines the results: the components that are used, their versions, seed and precision."""
        return configuration_digest(self.nodes, self.versions)

    def variant(self, nodes: Mapping[str, Mapping[str, Any]]) -> Settings:
        """These settings with the nodes of some groups replaced, such as those of a `Listed` model.

        Raises:
            ConfigError: they do not go together.
        """
        kept = {group: choice for group, choice in self.nodes.get(CHOICES, {}).items() if group not in nodes}
        return resolve({**self.nodes, CHOICES: kept, **nodes}, check=False)


def resolve(
    config: Mapping[str, Any],
    explicit: frozenset[str] = frozenset(),
    choices: Mapping[str, str] | None = None,
    compose_choice: ComposeChoice = packaged_choice,
    check: bool = True,
) -> Settings:
    """Check a configuration, composed or archived, and build its components.

    Args:
        config: one mapping per group, each with a `name` (but `run`); an archived one also has `lists` and `choices`.
        explicit: the dotted keys and group names that the user set; presets leave those alone.
        choices: group -> the YAML file or component that was chosen.
        compose_choice: gives the nodes of the names in lists, where the configuration is not an archived one.
        check: whether presets apply, the experiment is asked if its components go together, and listed models whether
            they fit the data.

    Raises:
        ConfigError: anything unknown, missing, of a wrong type or out of range.
    """
    check_archive(config)
    explicit = renamed_explicit(config, explicit)
    config = renamed_keys(config)
    nodes = checked_nodes(config)
    run: RunParams = construct(RunParams, nodes["run"], "run")
    experiment_class = components.REGISTRIES["experiment"].load(str(nodes["experiment"]["name"]))
    drop_unused_groups(nodes, experiment_class, explicit)
    check_chosen(nodes[CLUSTER])
    built: dict[str, Any] = {}
    faults = Faults()
    for group in components.REGISTRIES:
        # presets may look at dataset and model, and set keys of the groups that are built from here on
        if group == "recipe" and check:
            faults.tell()
            presets = experiment_class.presets(run.preset, built["dataset"], built["model"])
            apply_presets(nodes, run.presets() | presets, explicit)
        with faults.collected():
            built[group], nodes[group] = build_component(group, nodes[group], compose_choice)
    faults.tell()
    run = construct(RunParams, nodes["run"], "run")  # presets may have changed it
    nodes["run"] = archived_parameters(run)
    del nodes[CLUSTER]
    built[CLUSTER] = cluster_of(built[CLUSTER], run)
    lists = listed_components(nodes, experiment_class.Params, config.get(LISTS, {}), compose_choice)
    if choices is None:
        add_choices(nodes, config.get(CHOICES, {}))
    else:  # of a command line, which may have replaced a component by GROUP.name=NAME
        add_choices(nodes, {group: name for group, name in choices.items() if f"{group}.name" not in explicit})
    settings = Settings(**built, run=run, nodes=nodes, lists=lists)
    if check:
        check_listed_models(settings)
        settings.experiment.check(settings)
    return settings


def check_listed_models(settings: Settings) -> None:
    """Refuse lists of models with one that does not take the dataset's images, or has other classes.

    Raises:
        ConfigError: names the list and the model.
    """
    dataset, name_of_data = settings.dataset, settings.nodes["dataset"]["name"]
    for parameter, entries in settings.lists.items():
        for name, listed in entries.items():
            if "model" not in listed.nodes or not hasattr(dataset, "shape"):
                continue
            if listed.nodes["model"]["name"] == "none":
                raise ConfigError(f"experiment.{parameter}={name}: that is no model: leave it out")
            try:
                shape = dataset.shape(getattr(settings.model, "shape", None))
                other = settings.variant(listed.nodes)
                check_compatibility(name_of_data, shape, dataset.class_count, other)
            except AdvlabError as error:
                fault = str(error).partition(": type ")[0]
                raise ConfigError(
                    f"experiment.{parameter}={name}: {fault}: leave it out, or name a model for {name_of_data}"
                ) from error


def every_key(nodes: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """The dotted keys of an archived configuration: no preset may change one of them."""
    known = {group: node for group, node in nodes.items() if group in GROUPS and isinstance(node, Mapping)}
    return frozenset(f"{group}.{key}" for group, node in known.items() for key in node)


def checked_nodes(config: Mapping[str, Any]) -> Nodes:
    """A copy of a configuration with a mapping for every group, `none` where it has none.

    Raises:
        ConfigError: an unknown group, one that is no mapping, or one without a name.
    """
    for key in config:
        if key not in (*GROUPS, LISTS, CHOICES):
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
        if group == "experiment" or not declared.is_measured:
            continue
        if group in experiment_class.groups():
            if group in ("dataset", "model") and nodes[group]["name"] == "none":
                raise ConfigError(f"{group}=none: the experiment {experiment} needs a {group}: type {group}=NAME")
            continue
        if group in explicit and nodes[group]["name"] != "none":
            raise ConfigError(
                f"{group}={typed_name(nodes[group])}: the experiment {experiment} uses no {group}: leave it out"
            )
        keys = sorted(key for key in explicit if key.startswith(f"{group}.") and key != f"{group}.name")
        if keys:
            raise ConfigError(f"{keys[0]}: the experiment {experiment} uses no {group}: leave it out")
        nodes[group] = {"name": "none"}


def typed_name(node: Mapping[str, Any]) -> str:
    """A component as it is typed: its name, of a chain `[blur,noise]`."""
    members = chain_members("defense", node)
    return f"[{','.join(member['name'] for member in members)}]" if members else str(node["name"])


def apply_presets(nodes: Nodes, presets: Mapping[str, Any], explicit: frozenset[str]) -> None:
    """Set the dotted keys of a preset, in place: not those that the user set, nor those of a group that is `none`."""
    for dotted_key, value in presets.items():
        group, _, key = dotted_key.partition(".")
        if dotted_key not in explicit and nodes[group].get("name") != "none":
            nodes[group][key] = value
