"""What only a command line may say, and no YAML file: where files are written, and which scheduler is joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advlab.config.groups import CLUSTER
from advlab.errors import ConfigError

ROOTS = {"output_root": "", "cache_root": "ADVLAB_CACHE", "data_root": "ADVLAB_DATA"}  # -> environment variable
JOINED_BY = frozenset(("address", "ca_file", "cert_file", "key_file"))  # of cluster=address


def check_places(fault: str, run: Mapping[Any, Any]) -> None:
    """Refuse options of a run that say where files are written.

    Args:
        fault: what is said before the key.
        run: what YAML files set of the group.

    Raises:
        ConfigError: names the key.
    """
    for key in ROOTS.keys() & run.keys():
        elsewhere = f" or set {ROOTS[key]} in your environment" if ROOTS[key] else ""
        raise ConfigError(
            f"{fault} run.{key}: a YAML file must not say where files are written: type run.{key}=...{elsewhere}, "
            "and leave it out there"
        )


def check_scheduler(fault: str, cluster: Mapping[Any, Any]) -> None:
    """Refuse keys of a cluster that say whose code this machine takes.

    Args:
        fault: what is said before the key.
        cluster: what YAML files set of the group.

    Raises:
        ConfigError: names the key.
    """
    for key in JOINED_BY & cluster.keys():
        raise ConfigError(
            f"{fault} {CLUSTER}.{key}: a YAML file must not say which scheduler is joined, what it sends is code: type "
            f"{CLUSTER}.{key}=..., and leave it out there"
        )
