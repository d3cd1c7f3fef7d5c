"""Composes configurations with Hydra, checks every job of them, and calls Hydra's main on a checked command line."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.config.settings import GROUPS, Settings, resolve
from advlab.errors import ConfigError, suggest

CONFIG = "pkg://advlab.configs"
OWN_LAUNCHERS = ("hydra._internal.core_plugins.", "hydra_plugins.")
ALLOWED = ("hydra.launcher", "hydra.sweeper", "hydra.job.env_set", "hydra.job.env_copy")
SWEPT = "name the swept values themselves on the command line, as in run.seed=0,1,2"
CLUSTER = ("joblib", "submitit_local", "submitit_slurm")  # launchers of the extra `cluster`


@dataclass(frozen=True)
class Line:
    """A parsed command line."""

    flags: argparse.Namespace
    overrides: list[str]


class Composer:
    """Composes and checks configurations without running any of Hydra's callbacks."""

    def __init__(self, config_dir: str | None) -> None:
        if config_dir is not None and not (config_dir and Path(config_dir).is_dir()):
            raise ConfigError(
                f"--config-dir {config_dir}: there is no such folder: name one that holds GROUP/NAME.yaml"
            )
        self.config_dir = config_dir

    def __enter__(self) -> Composer:
        from hydra import version
        from hydra._internal.hydra import Hydra
        from hydra._internal.utils import create_config_search_path
        from hydra.core.config_search_path import SearchPathQuery
        from hydra.core.global_hydra import GlobalHydra

        GlobalHydra.instance().clear()
        version.setbase("1.3")
        search = create_config_search_path(CONFIG)
        if self.config_dir is not None:
            path = f"file://{Path(self.config_dir).resolve()}"
            search.prepend(provider="command-line", path=path, anchor=SearchPathQuery(provider="schema", path=None))
        self.loader: Any = Hydra.create_main_hydra2(task_name="advlab", config_search_path=search).config_loader
        return self

    def __exit__(self, *_: object) -> None:
        from hydra.core.global_hydra import GlobalHydra

        GlobalHydra.instance().clear()

    def jobs(self, overrides: Sequence[str], *, multirun: bool) -> list[Settings]:
        """The checked settings of every job.

        Raises:
            ConfigError: an override that does not parse, a name, key, type or value that is wrong, or a sweep without -m.
        """
        from hydra.core.override_parser.overrides_parser import OverridesParser
        from hydra.errors import HydraException, OverrideParseException

        try:
            parsed = OverridesParser.create(config_loader=self.loader).parse_overrides(list(overrides))
        except OverrideParseException as error:
            raise ConfigError(f"{error.override!r} is no override: {override_hint(error.override)}") from error
        except HydraException as error:
            raise ConfigError(f"{str(error).splitlines()[0]}: type GROUP=NAME or GROUP.KEY=VALUE") from error
        swept = [o.input_line for o in parsed if o.is_sweep_override()]
        if swept and not multirun:
            raise ConfigError(
                f"{swept[0]!r} names several values: a sweep needs -m (for a list of values type KEY=[A,B])"
            )
        self._refuse_hydra(parsed)
        from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

        plain = [o for o in parsed if not o.is_hydra_override()]
        hydra_lines = [str(o.input_line) for o in parsed if o.is_hydra_override()]
        try:
            combinations: list[list[str]] = BasicSweeper.split_arguments(plain, max_batch_size=None)[0]
        except HydraException as error:
            raise ConfigError(f"{error}: type the values, as in run.seed=0,1,2 or run.seed=range(0,3)") from error
        return [self.settings([*job, *hydra_lines]) for job in combinations]

    def settings(self, overrides: Sequence[str]) -> Settings:
        """Compose one job and check it.

        Raises:
            ConfigError: see `jobs`.
        """
        import yaml
        from hydra.errors import HydraException, MissingConfigException
        from hydra.types import RunMode
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        self._check_groups(overrides)
        try:
            config = self.loader.load_configuration(
                config_name="config", overrides=open_keys(overrides), run_mode=RunMode.RUN, from_shell=False
            )
            self._refuse_composed(config)
            content = OmegaConf.to_container(
                OmegaConf.masked_copy(config, [str(k) for k in config if k != "hydra"]),
                resolve=True,
                throw_on_missing=True,
            )
        except MissingConfigException as error:
            raise ConfigError(f"{str(error).splitlines()[0]}: `advlab list` shows what there is") from error
        except yaml.YAMLError as error:
            raise ConfigError(f"a YAML file does not parse: {' '.join(str(error).split())}: mend it") from error
        except (HydraException, OmegaConfBaseException, ValueError) as error:
            raise ConfigError(composition_fault(error)) from error
        assert isinstance(content, dict)
        choices = dict(config.hydra.runtime.choices)
        return resolve({str(key): value for key, value in content.items()}, explicit_keys(overrides), choices)

    def _check_groups(self, overrides: Sequence[str]) -> None:
        """Names of groups and of choices, with near ones; Hydra's own message lists them all without a hint."""
        from hydra.core.object_type import ObjectType

        for text in overrides:
            key, _, value = text.partition("=")
            name = key.lstrip("+~")
            root = re.split(r"[./@]", name)[0]
            if not root:
                raise ConfigError(f"{text!r} names no group: type GROUP=NAME or GROUP.KEY=VALUE")
            if root not in (*GROUPS, "hydra"):
                raise ConfigError(f"{root}: there is no such group. {suggest(root, GROUPS)}")
            if root != "hydra" and re.match(r"\w+[/@]", name):
                raise ConfigError(f"{text!r}: a group has one place and no subgroups: type {root}=NAME")
            if name == "run":
                raise ConfigError(f"{text!r}: type run.KEY=VALUE (`advlab describe run` lists the keys)")
            if name not in GROUPS and not name.startswith("hydra/"):
                continue
            if key != name:
                raise ConfigError(f"{text!r}: a group always has one choice: type {name}=NAME (none is one, too)")
            options = self.loader.get_group_options(name, results_filter=ObjectType.CONFIG)
            choice = value.strip().strip("'\"")
            if not choice or choice == "null":
                raise ConfigError(f"{text!r} names no choice: type {name}=NAME. {suggest(choice, options)}")
            if choice not in options:
                extra = ' pip install "advlab[cluster]" brings it.' if choice in CLUSTER else ""
                raise ConfigError(f"there is no {name} {choice!r}. {suggest(choice, options)}{extra}")

    def _refuse_hydra(self, parsed: Sequence[Any]) -> None:
        for override in parsed:
            key = override.key_or_group.replace("/", ".")
            if key.startswith("hydra.sweeper.params"):
                raise ConfigError(f"{override.input_line}: {SWEPT}")
            allowed = any(key == name or key.startswith(f"{name}.") for name in ALLOWED)
            if key.split(".")[0] == "hydra" and not allowed:
                raise ConfigError(
                    f"{override.input_line}: this part of Hydra is not configurable here (-m sweeps, run.output_root=... "
                    f"says where to write). What is: {', '.join(ALLOWED)}"
                )

    def _refuse_composed(self, config: Any) -> None:
        """A YAML file must not be able to run code: no callbacks, no logging, no launchers but Hydra's.

        Raises:
            ConfigError: one of them is configured.
        """
        from omegaconf import OmegaConf

        hydra = config.hydra
        if hydra.get("callbacks"):
            raise ConfigError(
                "hydra.callbacks: callbacks are not allowed, they run code that a YAML file names. Leave them out"
            )
        quiet = {"version": 1, "root": None, "disable_existing_loggers": False}
        for key in ("job_logging", "hydra_logging"):
            if dict(hydra.get(key) or quiet) != quiet:
                raise ConfigError(
                    f"hydra.{key}: logging is not configurable here, it could run code that a YAML file names. Leave it out"
                )
        for key in ("launcher", "sweeper"):
            for target in targets(OmegaConf.to_container(hydra[key], resolve=False)):
                if not target.startswith(OWN_LAUNCHERS):
                    raise ConfigError(
                        f"hydra.{key}: {target} is none of Hydra's or its plug-ins': it could run any code. Leave it out"
                    )
        if hydra.sweeper.get("params"):
            raise ConfigError(f"hydra.sweeper.params: {SWEPT}")


def targets(value: Any) -> list[str]:
    """Every `_target_` in a nested configuration."""
    if isinstance(value, dict):
        own = [str(value["_target_"])] if "_target_" in value else []
        return own + [t for v in value.values() for t in targets(v)]
    return [t for v in value for t in targets(v)] if isinstance(value, list) else []


def override_hint(text: str) -> str:
    """What to type instead of an override that does not parse."""
    key, equals, value = text.partition("=")
    if not equals:
        return "type GROUP=NAME or GROUP.KEY=VALUE (a command such as list or plot comes first)"
    if key != key.strip():
        return "leave out the spaces around its key"
    if value.startswith("="):
        return f"type one =, as in {key}{value}"
    if value.endswith(",") or value.startswith(","):
        return "leave out the comma, or name another value"
    if any(value.count(mark) % 2 for mark in "'\"") or any(
        value.count(a) != value.count(b) for a, b in ("[]", "{}", "()")
    ):
        return "close its brackets and quotation marks"
    return f"type GROUP=NAME or GROUP.KEY=VALUE; a value with special characters in quotation marks: {key}='...'"


def composition_fault(error: Exception) -> str:
    """Hydra's or OmegaConf's message about a composition, with the key in front and a remedy behind."""
    from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    key = getattr(error, "full_key", None)
    if isinstance(error, MissingMandatoryValue):
        return f"{key}: a value is needed: type {key}=..."
    if isinstance(error, InterpolationResolutionError):
        return f"{key}: {first}. Write the value itself, or name another key as in ${{run.seed}}"
    cause = str(error.__cause__).splitlines()[0] if error.__cause__ is not None and str(error.__cause__) else ""
    return (
        f"{first.replace('++', '')}{f' ({cause})' if cause else ''}: `advlab describe NAME` shows keys and their values"
    )


def open_keys(overrides: Sequence[str]) -> list[str]:
    """`group.key=value` as `++group.key=value`: unknown keys are reported by our schema, which offers near names."""
    pattern = rf"\+{{0,2}}((?:{'|'.join(GROUPS)})\.[^=]*=)"
    return [re.sub(pattern, r"++\1", text, count=1) if re.match(pattern, text) else text for text in overrides]


def explicit_keys(overrides: Sequence[str]) -> frozenset[str]:
    """The dotted keys and groups that a command line sets."""
    return frozenset(text.lstrip("+~").partition("=")[0].split("@")[0] for text in overrides)


def hydra_main(line: Line, task: Any) -> int:
    """Hydra's main function over our configuration and a cleaned command line."""
    import hydra

    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions reach us; what a user sees is decided in cli.run
    flags = line.flags
    arguments = [
        *(["--help"] if flags.help else []), *(["--hydra-help"] if flags.hydra_help else []),
        *(["--multirun"] if flags.multirun else []), *(["--resolve"] if flags.resolve else []),
        *(["--shell-completion"] if flags.shell_completion else []),
        *(["--cfg", flags.cfg] if flags.cfg else []), *(["--package", flags.package] if flags.package else []),
        *(["--info", flags.info] if flags.info else []),
        *(["--config-dir", flags.config_dir] if flags.config_dir else []),
    ]  # fmt: skip
    before = sys.argv
    sys.argv = ["advlab", *arguments, *(line.overrides if flags.shell_completion else open_keys(line.overrides))]
    try:
        hydra.main(version_base="1.3", config_path=CONFIG, config_name="config")(task)()
    except SystemExit as end:
        return int(end.code or 0)
    except Exception as error:
        from hydra.errors import HydraException

        if isinstance(error, HydraException) or (isinstance(error, ValueError) and not flags.multirun):
            raise ConfigError(" ".join(str(error).split())) from error
        raise
    finally:
        sys.argv = before
    return 0


def job_unused(config: Any) -> None:
    """Hydra wants a task function also where none runs."""
