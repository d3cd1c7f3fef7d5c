"""What of Hydra's own configuration may be set: a YAML file or an override must not be able to run code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

from advlab.errors import ConfigError

ALLOWED = ("hydra.launcher", "hydra.sweeper", "hydra.job.env_set", "hydra.job.env_copy")
TRUSTED_MODULES = ("hydra._internal.core_plugins.", "hydra_plugins.")  # of launchers and sweepers
NO_SWEEPER_PARAMS = "name the swept values themselves on the command line, as in run.seed=0,1,2"


def check_hydra_overrides(parsed: Sequence[Any]) -> None:
    """Refuse overrides of parts of Hydra that are not configurable here.

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


def check_hydra_config(hydra: Any) -> None:
    """Refuse a composed configuration of Hydra that could run code: no callbacks, no logging, no foreign launchers.

    Args:
        hydra: the node `hydra` of the composed configuration.

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
        for target in instantiated_names(OmegaConf.to_container(hydra[key], resolve=False)):
            if not target.startswith(TRUSTED_MODULES):
                raise ConfigError(
                    f"hydra.{key}: {target} is none of Hydra's or its plug-ins': it could run any code. Leave it out"
                )
    if hydra.sweeper.get("params"):
        raise ConfigError(f"hydra.sweeper.params: {NO_SWEEPER_PARAMS}")


def instantiated_names(value: Any) -> list[str]:
    """What Hydra would call of a nested configuration: every `_target_` in it."""
    if isinstance(value, dict):
        own = [str(value["_target_"])] if "_target_" in value else []
        return own + [name for item in value.values() for name in instantiated_names(item)]
    return [name for item in value for name in instantiated_names(item)] if isinstance(value, list) else []
