"""The archived configuration of a run: in config.yaml, in plan.json and in the manifest; any of them may be damaged."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from advlab.errors import ResultError
from advlab.store.bounded import read_yaml
from advlab.store.run_layout import RunLayout
from advlab.store.sealed import canonical, read_sealed
from advlab.store.tables import REMEDY

log = logging.getLogger(__name__)

NO_MORE = "No more can be measured of this run"

Nodes = dict[str, dict[str, Any]]


def archived_nodes(run: RunLayout) -> Nodes:
    """The configuration, one mapping a group: that of config.yaml, which is that of the plan where there is one.

    Raises:
        ResultError: it is missing or damaged, or not what the plan was made from.
    """
    nodes, planned = nodes_in_config(run), nodes_in_plan(run)
    if planned is not None and not same_content(nodes, planned):
        raise ResultError(
            f"{run.config_path} does not match plan.json: one of them was changed. {REMEDY}, or start a new run"
        )
    return nodes


def nodes_to_resume(run: RunLayout) -> Nodes:
    """The configuration to go on with: that of the plan where config.yaml is missing or is no configuration any more.

    Raises:
        ResultError: there is none, or config.yaml holds another than the plan was made from.
    """
    planned = nodes_in_plan(run)
    if planned is not None:
        try:
            nodes_in_config(run)
        except ResultError:
            return planned
    return archived_nodes(run)


def nodes_to_read(run: RunLayout) -> Nodes:
    """The configuration that says how to draw the tables: where two places do not agree, the manifest decides.

    Raises:
        ResultError: there is no intact one.
    """
    try:
        return archived_nodes(run)
    except ResultError as error:
        fault = error
    for file, read in sources(run).items():
        try:
            nodes = read(run)
        except ResultError:
            continue
        if nodes is not None:
            said = re.split(rf"\. (?:{REMEDY}|{NO_MORE})", str(fault))[0]  # what is being done is the remedy
            log.warning("%s: what %s says is taken", said, file)
            return nodes
    raise fault


def sources(run: RunLayout) -> dict[str, Callable[[RunLayout], Nodes | None]]:
    """Where else an intact configuration may stand; of config.yaml and plan.json one that the other does not contradict."""
    places: dict[str, Callable[[RunLayout], Nodes | None]] = {"manifest.json": nodes_in_manifest}
    try:
        nodes_in_config(run)
    except ResultError:
        places["plan.json"] = nodes_in_plan
    else:
        try:
            nodes_in_plan(run)
        except ResultError:
            places["config.yaml"] = nodes_in_config
    return places


def nodes_in_config(run: RunLayout) -> Nodes:
    """What config.yaml says.

    Raises:
        ResultError: it is missing or damaged.
    """
    try:
        nodes = read_yaml(run.config_path)
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ResultError(f"{run.config_path} is missing or damaged: {reason}. {REMEDY}") from error
    return checked_nodes(nodes, f"{run.config_path} is damaged", REMEDY)


def nodes_in_plan(run: RunLayout) -> Nodes | None:
    """What plan.json says; None where there is no plan, or its form is another version's.

    Raises:
        ResultError: it is damaged.
    """
    if not run.plan_path.is_file():
        return None
    planned = read_plan(run).get("config")
    remedy = "Start a new run"
    return None if planned is None else checked_nodes(planned, f"{run.plan_path} is damaged", remedy)


def nodes_in_manifest(run: RunLayout) -> Nodes | None:
    """What the manifest says; None where there is none.

    Raises:
        ResultError: it is damaged.
    """
    if not run.manifest_path.is_file():
        return None
    config = read_sealed(run.manifest_path).get("config")
    return None if config is None else checked_nodes(config, f"{run.manifest_path} is damaged", REMEDY)


def read_plan(run: RunLayout) -> dict[str, Any]:
    """The content of plan.json.

    Raises:
        ResultError: it is missing or damaged.
    """
    try:
        return read_sealed(run.plan_path)
    except ResultError as error:
        raise ResultError(
            f"{error}. {NO_MORE}: start a new one. `advlab plot {run.path}` draws its table, if it has one"
        ) from error


def checked_nodes(nodes: Any, fault: str, remedy: str) -> Nodes:
    """A configuration whose groups are mappings, and whose names are texts; the experiment's is there.

    Raises:
        ResultError: it is none.
    """
    if not isinstance(nodes, dict) or not all(isinstance(k, str) and isinstance(v, dict) for k, v in nodes.items()):
        raise ResultError(f"{fault}: it is no mapping of groups. {remedy}")
    if not all(isinstance(node.get("name", ""), str) for key, node in nodes.items() if key != "choices"):
        raise ResultError(f"{fault}: the name of a component is no text. {remedy}")
    if "name" not in nodes.get("experiment", {}):
        raise ResultError(f"{fault}: it names no experiment. {remedy}")
    return nodes


def same_content(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two mappings are the same as JSON."""
    try:
        return canonical(a) == canonical(b)
    except (TypeError, ValueError):  # YAML can say what JSON cannot
        return False
