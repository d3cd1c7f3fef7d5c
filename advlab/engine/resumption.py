"""Which run directory a command goes on with, whether anything is left to do in it, and how to go on with it later."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from advlab.config.components import NoComponent
from advlab.config.groups import CLUSTER
from advlab.config.identity import archived_parameters, default_parameters
from advlab.config.settings import Settings, every_key, resolve
from advlab.engine.plan import planned_digest
from advlab.engine.provenance import job_id, requeued
from advlab.errors import ConfigError, ResultError
from advlab.plugins.loading import VARIABLE
from advlab.shell import command_to_resume, typed_override
from advlab.store.run_configuration import nodes_to_read
from advlab.store.run_directory import RunDirectory
from advlab.store.run_versions import former_versions_folder, versions_folder

log = logging.getLogger(__name__)


def directory_to_resume(settings: Settings) -> RunDirectory | None:
    """The newest version of the same configuration that is not complete, else the newest one; None for a new run.

    Only `run.resume=true` and a cluster job that is started again look for one.

    Raises:
        ResultError: `run.resume=true`, and what there is of this configuration has no intact plan.
    """
    job = job_id()
    if not settings.run.resume and not requeued():  # two commands in one allocation are two runs
        return None
    root = settings.run.path("output_root")
    folders = dict.fromkeys((versions_folder(root, settings.nodes), former_versions_folder(root, settings.nodes)))
    newest_complete, damaged = None, []
    for version in (version for folder in folders for version in reversed(RunDirectory.versions(folder))):
        try:
            if not version.plan_path.exists() and not version.has_cells():  # it was ended before it began
                continue
            plan = version.plan()
        except ResultError as error:
            log.warning("%s; %s is passed over", error, version.path)
            damaged += [error] if is_of(version, settings) else []
            continue
        try:
            if planned_digest(plan) != settings.digest:
                continue
        except ConfigError:  # of a component that is not there any more
            continue
        if not settings.run.resume and plan["job"] != job:
            continue
        if not version.finished():
            return version
        newest_complete = newest_complete or version
    if newest_complete is None and damaged and settings.run.resume:
        raise ResultError(f"{damaged[0]}. To begin anew leave out run.resume=true")
    return newest_complete


def is_of(version: RunDirectory, settings: Settings) -> bool:
    """Whether a run without an intact plan may be one of this configuration: what it had measured would be lost silently."""
    try:
        nodes = nodes_to_read(version)
        return resolve(nodes, every_key(nodes)).digest == settings.digest
    except ResultError:
        return True
    except ConfigError:  # of a component that is not there
        return False


def nothing_left_to_do(directory: RunDirectory, settings: Settings) -> bool:
    """Whether a run is complete, and all of its files are intact."""
    return directory.finished() and not directory.damaged() and not bad_cells(directory, settings)


def bad_cells(directory: RunDirectory, settings: Settings) -> list[str]:
    """Ids of the planned cells that are missing or damaged, as a file that they keep may be (each with a warning)."""
    bad = []
    for cell_id in directory.plan()["cells"]:
        try:
            rows = directory.read_cell(cell_id, settings.experiment.Row)
        except ResultError as error:
            log.warning("%s; it will be measured again", error)
            rows = None
        if rows is None:
            bad.append(cell_id)
    return bad


def resume_command(directory: RunDirectory, cluster: Any) -> str:
    """What to type to go on with an interrupted run, with the plug-ins and the workers that it was started with."""
    files = [file for file in os.environ.get(VARIABLE, "").split(os.pathsep) if file]
    command = command_to_resume(directory.path, *(word for file in files for word in ("--plugin", file)))
    return " ".join([command, *cluster_words(cluster)])


def cluster_words(cluster: Any) -> list[str]:
    """What was typed to choose who carries a run out, as a shell takes it.

    >>> from advlab.cluster import Local
    >>> cluster_words(Local(workers=3))
    ['cluster=local', 'cluster.workers=3']
    """
    if isinstance(cluster, NoComponent):
        return []
    defaults = default_parameters(type(cluster))
    changed = {key: value for key, value in archived_parameters(cluster).items() if value != defaults[key]}
    typed = [
        typed_override(f"{CLUSTER}.{key}", value) if isinstance(value, str) else f"{CLUSTER}.{key}={json.dumps(value)}"
        for key, value in changed.items()
    ]
    return [f"{CLUSTER}={type(cluster).__name__.lower()}", *typed]
