"""What of Hydra's own configuration may be set, where: a YAML file must not run code, nor say where files are written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.object_type import ObjectType
from hydra.types import RunMode
from omegaconf import OmegaConf

from advlab.config.config_folder import LAUNCHER_KEYS, leaves
from advlab.errors import ConfigError

#: what a user may type; a YAML file may set `LAUNCHER_KEYS` alone
ALLOWED = ("hydra.launcher", "hydra.sweeper", "hydra.job.env_set", "hydra.job.env_copy")
NO_SWEEPER_PARAMS = "name the swept values themselves on the command line, as in run.seed=0,1,2"

#: what Hydra itself writes into its node while it composes, whatever stood there
WRITTEN_BY_HYDRA = (
    "runtime.version",
    "runtime.version_base",
    "runtime.cwd",
    "runtime.config_sources",
    "overrides.task",
)
WRITTEN_BELOW = ("job.override_dirname", "runtime.choices.")


def check_hydra_overrides(parsed: Sequence[Any]) -> None:
    """Refuse overrides of parts of Hydra that are not configurable here.

    Where a sweep writes is not among what may be typed: its folder is the program's own account of the sweep, below
    `run.output_root`, which says where everything goes.

    Args:
        parsed: Hydra's `Override` objects.

    Raises:
        ConfigError: names the override and what may be set.
    """
    for override in parsed:
        key = override.key_or_group.replace("/", ".")
        if key.startswith("hydra.sweeper.params"):
            raise ConfigError(f"{override.input_line}: {NO_SWEEPER_PARAMS}")
        allowed = any(key == name or key.startswith(f"{name}.") for name in ALLOWED)
        if key.split(".")[0] == "hydra" and not allowed:
            raise ConfigError(
                f"{override.input_line}: this part of Hydra is not configurable here (-m sweeps, run.output_root=... "
                f"says where to write). What is: {', '.join(ALLOWED)}"
            )


def check_hydra_config(hydra: Any, loader: ConfigLoaderImpl) -> None:
    """Refuse a composed configuration of Hydra that could run code: no callbacks, no logging, no foreign launchers.

    Args:
        hydra: the node `hydra` of the composed configuration.
        loader: of the packaged files alone.

    Raises:
        ConfigError: one of them is configured.
    """
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
        node = OmegaConf.to_container(hydra[key], resolve=False) if OmegaConf.is_config(hydra[key]) else {}
        own = node.get("_target_") if isinstance(node, dict) else None
        names = instantiated_names(node)
        if names != [own] or own not in installed(loader, key).values():
            foreign = next((name for name in names if name != own), own)
            raise ConfigError(
                f"hydra.{key}: {foreign} is none of Hydra's or its plug-ins': it could run any code. Leave it out"
            )
    if hydra.sweeper.get("params"):
        raise ConfigError(f"hydra.sweeper.params: {NO_SWEEPER_PARAMS}")
    if (size := hydra.sweeper.get("max_batch_size")) is not None and size < 1:
        raise ConfigError(f"hydra.sweeper.max_batch_size must be at least 1, got {size}")


def check_nothing_else(hydra: Any, overrides: Sequence[str], loader: ConfigLoaderImpl) -> None:
    """Refuse a composed configuration of Hydra that differs, but for a launcher's few keys, from what was typed.

    So whatever way a file of a config folder finds to set something (packages, defaults lists, files of Hydra's own put
    elsewhere) it is seen.

    Args:
        hydra: the node `hydra` of the composed configuration.
        overrides: what was typed, as it was composed.
        loader: of the packaged files alone.

    Raises:
        ConfigError: names the first key that differs.
    """
    choices = hydra.runtime.choices
    typed = [text for text in overrides if re.match(r"[+~]*hydra[./=]", text)]
    known = []
    for text in typed:
        group, _, name = text.partition("=")
        kind = group.lstrip("+").removeprefix("hydra/")
        if group.lstrip("+") in ("hydra/launcher", "hydra/sweeper") and name not in installed(loader, kind):
            # a file of the folder, named by the user: it stands for the installed one whose keys it sets
            own = [choice for choice, target in installed(loader, kind).items() if target == hydra[kind]["_target_"]]
            text = f"{group}={own[0]}"
        known.append(text)
    reference = loader.load_configuration("config", known, RunMode.RUN, from_shell=False).hydra
    for key, name in reference.runtime.choices.items():
        if (
            key.startswith("hydra/")
            and choices.get(key) != name
            and key not in {t.lstrip("+").partition("=")[0] for t in typed}
        ):
            raise ConfigError(
                f"{key}={choices.get(key)}: a YAML file must not choose it: type it on the command line, or leave it out"
            )
    expected, found = flat(reference), flat(hydra)
    for key in dict.fromkeys((*found, *expected)):
        if key.startswith("launcher.") and key.removeprefix("launcher.") in LAUNCHER_KEYS:
            continue
        if key in WRITTEN_BY_HYDRA or key.startswith(WRITTEN_BELOW) or key.startswith("overrides.hydra"):
            continue
        if key not in expected or key not in found or expected[key] != found[key]:
            raise ConfigError(f"hydra.{key}: a YAML file sets it, and must not: leave it out")
    extra = [key for key in choices if str(key).startswith("hydra/") and key not in reference.runtime.choices]
    if extra or sorted([*hydra.overrides.hydra, *hydra.overrides.task]) != sorted(overrides):
        raise ConfigError(f"{(extra or ['hydra.overrides'])[0]}: a YAML file sets it, and must not: leave it out")


def flat(hydra: Any) -> dict[str, Any]:
    """Dotted key -> value of a node, nothing resolved."""
    return {".".join(keys): value for keys, value in leaves(OmegaConf.to_container(hydra, resolve=False))}


@lru_cache(8)
def installed(loader: ConfigLoaderImpl, kind: str) -> dict[str, str]:
    """Name -> what it calls, of the installed launchers or sweepers."""
    names = loader.get_group_options(f"hydra/{kind}", results_filter=ObjectType.CONFIG)
    found = {name: loader.repository.load_config(f"hydra/{kind}/{name}") for name in names}
    return {name: str(result.config["_target_"]) for name, result in found.items() if result is not None}


def instantiated_names(value: Any) -> list[str]:
    """What Hydra would call of a nested configuration: every `_target_` in it."""
    if isinstance(value, Mapping):
        own = [str(value["_target_"])] if "_target_" in value else []
        return own + [name for item in value.values() for name in instantiated_names(item)]
    return [name for item in value for name in instantiated_names(item)] if isinstance(value, list) else []
