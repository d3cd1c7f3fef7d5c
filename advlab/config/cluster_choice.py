"""Who carries a run out: from what is typed of `cluster` and `run.workers`, for a new run and for one that is resumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advlab.config import components
from advlab.config.groups import CLUSTER, RUN
from advlab.config.run_options import RunParams
from advlab.config.schema import construct
from advlab.errors import ArgumentError, ConfigError


def cluster_of(cluster: Any, run: RunParams) -> Any:
    """Who carries a run out, once `run.workers` is taken for the cluster of processes of this machine that it is short for.

    Raises:
        ConfigError: `run.workers` and another cluster, or one that lacks something.
    """
    if not run.workers:
        if not isinstance(cluster, components.NoComponent):
            try:
                cluster.check()
            except ArgumentError as error:
                raise ConfigError(f"{CLUSTER}: {error}") from error
        return cluster
    if not isinstance(cluster, components.NoComponent):
        raise ConfigError(
            f"run.workers={run.workers}: it is short for cluster=local, and a cluster is named: type "
            f"cluster.workers={run.workers} instead"
        )
    return construct(components.REGISTRIES[CLUSTER].load("local"), {"workers": run.workers}, CLUSTER)


def check_chosen(node: Mapping[str, Any]) -> None:
    """Refuse keys of a cluster where none is chosen.

    Args:
        node: what is typed of the group, and `name`.

    Raises:
        ConfigError: names the key.
    """
    if node.get("name") == "none" and (keys := [key for key in node if key != "name"]):
        raise ConfigError(
            f"{CLUSTER}.{keys[0]}: no cluster is chosen: type {CLUSTER}=NAME beside it, or run.workers=N for N processes of "
            "this machine"
        )


def check_resumed_words(overrides: Sequence[str]) -> None:
    """Refuse what is typed for a run that is archived, but for who carries it out.

    Raises:
        ConfigError: names the word.
    """
    for text in overrides:
        key = text.lstrip("+").partition("=")[0]
        if "=" not in text or not (key.split(".")[0] == CLUSTER or key == f"{RUN}.workers"):
            raise ConfigError(
                f"{text!r}: a run that is resumed keeps its configuration: only run.workers=N, cluster=NAME and "
                "cluster.KEY=... may be typed"
            )
