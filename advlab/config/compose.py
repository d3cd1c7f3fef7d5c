"""Composes configurations from `configs/` and a command line with Hydra, and checks every job of them.

Longer than other files: the checks of a command line stand together, in the order in which they are made.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue, OmegaConfBaseException

from advlab.config.components import declared_classes
from advlab.config.config_folder import CheckedLoader, bound_files, check_interpolations, checked_folder
from advlab.config.defaults_cycle import defaults_cycle
from advlab.config.defense_lists import chain_node, without_defense_list
from advlab.config.groups import CLUSTER, GROUPS, RUN
from advlab.config.hydra_rules import check_hydra_config, check_hydra_overrides, check_nothing_else
from advlab.config.identity import Nodes
from advlab.config.overrides import accept_unknown_keys, check_extent, check_jobs, explicit_keys, override_hint, text_of
from advlab.config.radius import check_radius_is_typed
from advlab.config.run_options import RunParams
from advlab.config.schema import parameters
from advlab.config.settings import Settings, resolve
from advlab.config.typed_only import check_places, check_scheduler
from advlab.errors import ConfigError, Faults, is_weights_file, suggest, suggest_choice
from advlab.shell import typed_override

CONFIGS = "pkg://advlab.configs"
CLUSTER_LAUNCHERS = ("joblib", "submitit_local", "submitit_slurm")  # of the extra `cluster`


class Composer:
    """Composes and checks configurations without running any of Hydra's callbacks; use as a context manager."""

    def __init__(self, config_dir: str | None) -> None:
        self.config_dir = checked_folder(config_dir)

    def __enter__(self) -> Composer:
        self._outer = GlobalHydra.instance().hydra  # of the job of a sweep, which composes its own configuration
        GlobalHydra.instance().clear()
        version.setbase("1.3")
        bound_files()
        search = create_config_search_path(CONFIGS)
        self._packaged = ConfigLoaderImpl(copy.deepcopy(search))
        if self.config_dir is not None:
            path = f"file://{Path(self.config_dir).resolve()}"
            search.prepend(provider="command-line", path=path, anchor=SearchPathQuery(provider="schema", path=None))
        hydra = Hydra.create_main_hydra2(task_name="advlab", config_search_path=search)
        hydra.config_loader = self.loader = CheckedLoader(search)
        return self

    def __exit__(self, *_: object) -> None:
        GlobalHydra.instance().hydra = self._outer

    def jobs(self, overrides: Sequence[str], *, multirun: bool) -> list[Settings]:
        """The checked settings of every job.

        Raises:
            ConfigError: an override that does not parse, a name, key, type or value that is wrong, or a sweep without -m.
        """
        check_extent(overrides)
        try:
            parsed = OverridesParser.create(config_loader=self.loader).parse_overrides(list(overrides))
        except OverrideParseException as error:
            raise ConfigError(f"{error.override!r} is no override: {override_hint(error.override)}") from error
        except HydraException as error:
            raise ConfigError(f"{str(error).splitlines()[0]}: type GROUP=NAME or GROUP.KEY=VALUE") from error
        sweeping = [override.input_line for override in parsed if override.is_sweep_override()]
        if sweeping and not multirun:
            key, _, value = str(sweeping[0]).partition("=")
            one_value = f"; for one value with a comma {typed_override(key, value)}" if "." in key else ""
            raise ConfigError(
                f"{sweeping[0]!r} names several values: a sweep needs -m (for a list of values type KEY=[A,B]{one_value})"
            )
        check_hydra_overrides(parsed)
        check_jobs(parsed)
        own = [override for override in parsed if not override.is_hydra_override()]
        of_hydra = [str(override.input_line) for override in parsed if override.is_hydra_override()]
        try:
            combinations: list[list[str]] = BasicSweeper.split_arguments(own, max_batch_size=None)[0]
        except HydraException as error:
            raise ConfigError(f"{error}: type the values, as in run.seed=0,1,2 or run.seed=range(0,3)") from error
        if not combinations:
            raise ConfigError(f"{' '.join(map(str, sweeping))} names no value: type the values, as in run.seed=0,1,2")
        return [self.settings([*combination, *of_hydra]) for combination in combinations]

    def settings(self, overrides: Sequence[str]) -> Settings:
        """Compose one job and check it.

        Raises:
            ConfigError: see `jobs`.
        """
        single, defenses = without_defense_list(overrides)
        content, choices = self.compose(single)
        if defenses:
            content["defense"] = chain_node(defenses, content.get("defense", {}), self.choice)
            choices["defense"] = "+".join(defenses)
        explicit = explicit_keys(overrides)
        check_radius_is_typed(
            explicit, content.get("attack", {}), lambda: self.choice("attack", choices["attack"])["attack"]
        )
        return resolve(content, explicit, choices, self.choice)

    def choice(self, group: str, choice: str) -> Nodes:
        """The nodes that GROUP=CHOICE sets: its own, and of a model also its recipe.

        Raises:
            ConfigError: there is no such choice, or its YAML file does not parse.
        """
        content, _ = self.compose([f"{group}={choice}"])
        return {name: content[name] for name in (("model", "recipe") if group == "model" else (group,))}

    def compose(self, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
        """What YAML files and overrides say of each group, and what is chosen in it; keys and values are not checked.

        Raises:
            ConfigError: an unknown group or choice, or files and overrides that do not compose.
        """
        self._check_groups(overrides)
        try:
            accepted = accept_unknown_keys(overrides)
            config = self.loader.load_configuration("config", accepted, RunMode.RUN, from_shell=False)
            check_hydra_config(config.hydra, self._packaged)
            if self.config_dir is not None:
                check_nothing_else(config.hydra, accepted, self._packaged)
            groups = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
            check_interpolations(OmegaConf.to_container(groups, resolve=False))
            content = OmegaConf.to_container(groups, resolve=True, throw_on_missing=True)
        except MissingConfigException as error:
            raise ConfigError(f"{str(error).splitlines()[0]}: `advlab list` shows what there is") from error
        except yaml.YAMLError as error:
            raise ConfigError(f"a YAML file does not parse: {' '.join(str(error).split())}: mend it") from error
        except KeyError as error:  # of hydra.job.env_copy, which Hydra looks up as it is
            raise ConfigError(f"hydra.job.env_copy: the environment has no {error.args[0]}: leave it out") from error
        except RecursionError as error:
            chosen = [text.lstrip("+~").replace("=", "/", 1) for text in overrides]
            circle = defaults_cycle(Path(self.config_dir), chosen) if self.config_dir is not None else []
            if circle:
                files = f"{self.config_dir}: {' includes '.join(circle)}"
                raise ConfigError(f"{files} by its defaults list, without an end: take the entry out") from error
            raise ConfigError(
                "the YAML files or overrides are nested too deeply: write the values themselves"
            ) from error
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise ConfigError(composition_fault(error, overrides)) from error
        assert isinstance(content, dict)
        by_group = {str(key): value for key, value in content.items()}
        if self.config_dir is not None and isinstance(run := by_group.get(RUN), dict):
            typed = explicit_keys(overrides)  # an interpolation may have set what none of the files says as it stands
            check_places("a ${...} sets", {key: value for key, value in run.items() if f"{RUN}.{key}" not in typed})
            cluster = by_group.get(CLUSTER, {})
            check_scheduler("a ${...} sets", {key: v for key, v in cluster.items() if f"{CLUSTER}.{key}" not in typed})
        for key in by_group:
            if key not in GROUPS:
                raise ConfigError(f"{key}: there is no such key. {suggest(key, GROUPS)}")
        return by_group, dict(config.hydra.runtime.choices)

    def _check_groups(self, overrides: Sequence[str]) -> None:
        """Check names of groups and of choices, and offer near ones; Hydra's own message lists them all without a hint."""
        faults = Faults()
        for text in overrides:
            with faults.collected():
                self._check_group(text)
        faults.tell()

    def _check_group(self, text: str) -> None:
        """Check the group, and the choice, of one override.

        Raises:
            ConfigError: what to type.
        """
        key, _, value = text.partition("=")
        name = key.lstrip("+~")
        root = re.split(r"[./@]", name)[0]
        if not root:
            raise ConfigError(f"{text!r} names no group: type GROUP=NAME or GROUP.KEY=VALUE")
        if root == "plugin" or (name == root in parameters(RunParams) and value):
            wanted = "--plugin FILE" if root == "plugin" else f"run.{name}={value}"
            raise ConfigError(f"{root}: there is no such group: type {wanted}")
        if root not in (*GROUPS, "hydra"):
            raise ConfigError(f"{root}: there is no such group. {suggest(root, GROUPS)}")
        if root != "hydra" and re.match(r"\w+[/@]", name):
            raise ConfigError(f"{text!r}: a group has one place and no subgroups: type {root}=NAME")
        if name == "run":
            raise ConfigError(f"{text!r}: type run.KEY=VALUE (`advlab describe run` lists the keys)")
        if name not in GROUPS and not name.startswith("hydra/"):
            return
        if key != name:
            raise ConfigError(f"{text!r}: a group always has one choice: type {name}=NAME (none is one, too)")
        options = self.loader.get_group_options(name, results_filter=ObjectType.CONFIG)
        choice = value.strip().strip("'\"")
        if not choice or choice == "null":
            raise ConfigError(f"{text!r} names no choice: type {name}=NAME. {suggest(choice, options)}")
        if choice not in options:
            if name == "experiment" and choice.replace("_", "").lower() in declared_classes(name):
                raise ConfigError(
                    f"the class of {name} {choice!r} has no YAML file: write configs/{name}/{choice}.yaml"
                )
            if name == "model" and is_weights_file(choice):
                weights = typed_override("model.checkpoint", choice)
                raise ConfigError(f"{text!r} is a file of weights: name its network, too: model=NAME {weights}")
            extra = ' pip install "advlab[cluster]" brings it.' if choice in CLUSTER_LAUNCHERS else ""
            raise ConfigError(f"there is no {name} {choice!r}. {suggest_choice(name, choice, options)}{extra}")


def composition_fault(error: Exception, overrides: Sequence[str]) -> str:
    """Hydra's or OmegaConf's message about a composition of overrides, with the key in front and a remedy behind."""
    lines = str(error).splitlines() or [type(error).__name__]
    first = lines[0]
    if first.endswith(" raised while composing config:") and len(lines) > 1:  # whose second line says what it was
        first = f"{first.rpartition(': ')[0]}: {lines[1]}"
        if "LauncherConf" in first:
            return f"{first}: the launcher has no such key: type -m hydra/launcher=NAME of the one that has, or leave it out"
    key = getattr(error, "full_key", None)
    if isinstance(error, MissingMandatoryValue):
        return f"{key}: a value is needed: type {key}=..."
    if isinstance(error, InterpolationResolutionError):
        typed = [text_of(text) for text in overrides if text.lstrip("+").startswith(f"{key}=")]
        literally = f", or if a $ is part of the value, {typed_override(str(key), typed[-1])}" if typed else ""
        return (
            f"{key}: {first}. Write the value itself, or name a key that is typed or in a YAML file, as in ${{dataset.name}}"
            f"{literally}"
        )
    cause = str(error.__cause__).splitlines()[0] if error.__cause__ is not None and str(error.__cause__) else ""
    return (
        f"{first.replace('++', '')}{f' ({cause})' if cause else ''}: `advlab describe NAME` shows keys and their values"
    )
