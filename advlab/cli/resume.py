"""`advlab resume`: measure what is missing, and rebuild what is damaged."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from advlab.cli.parser import Parser
from advlab.config.cluster_choice import check_resumed_words
from advlab.config.components import REGISTRIES
from advlab.config.compose import Composer
from advlab.config.run_options import RunParams
from advlab.config.settings import every_key, resolve
from advlab.engine.runner import execute
from advlab.errors import ConfigError, ResultError
from advlab.shell import command_to_resume
from advlab.store.known_folders import is_remembered
from advlab.store.run_directory import RunDirectory

ROOTS = ("cache_root", "data_root")


def own_roots(archived: Mapping[str, Any], typed: Mapping[str, str | None]) -> dict[str, Any]:
    """The options of a resumed run that say where it reads and writes, beside its own directory.

    The run may be a stranger's: it writes to the user's own cache, or to one that the user has typed before or types now.
    The data it may read where its configuration says, but it downloads nothing to where the user never did.
    """
    own = RunParams()
    changed: dict[str, Any] = {name: folder for name, folder in typed.items() if folder}
    for name in set(ROOTS) - set(changed):
        said = archived.get(name, getattr(own, name))
        if said == getattr(own, name) or is_remembered(own.path("cache_root"), folder_of(said)):
            continue
        changed |= {"cache_root": own.cache_root} if name == "cache_root" else {"download": False}
    return changed


def folder_of(archived: Any) -> Path | None:
    """A folder that a configuration names; None where it names none."""
    return Path(os.path.expanduser(archived)) if isinstance(archived, str) else None


def of_a_session(nodes: Mapping[str, Any]) -> bool:
    """Whether a run measured objects that it was handed from Python, which are archived by their content."""
    measured = {group: nodes.get(group) or {} for group in ("model", "dataset")}
    return any("content" in node and node.get("name") not in REGISTRIES[group] for group, node in measured.items())


def run(arguments: Sequence[str]) -> int:
    """`advlab resume RUN`: measure what is missing, and rebuild what is damaged."""
    parser = Parser(prog="advlab resume", description="Go on with a run: only what is missing is measured.")
    parser.add_argument("run", type=Path, metavar="RUN")
    for name in ROOTS:
        said = "other than your own, such as the one that the run was started with"
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="DIR", help=f"run.{name} {said}")
    parser.add_argument(
        "workers",
        nargs="*",
        default=[],
        metavar="run.workers=N|cluster=NAME|cluster.KEY=VALUE",
        help="who goes on with it",
    )
    parser.add_argument("--config-dir", "-cd", metavar="FOLDER", help="of cluster/NAME.yaml, as for a new run")
    options = parser.parse_intermixed_args(list(arguments))  # flags may stand between the run and its workers
    check_resumed_words(options.workers)
    with Composer(options.config_dir) as composer:
        cluster = composer.settings(options.workers).cluster
    directory = RunDirectory.open(options.run)
    nodes = directory.nodes_to_resume()
    if of_a_session(nodes):
        if directory.finished() and not directory.damaged():
            print(f"{directory.path}: complete, nothing left to do")
            return 0
        raise ConfigError(
            f"{directory.path} was made in Python with a network or images of a session, which no command line has: make them "
            "there as before, and call advlab.run(..., resume=True) with the same arguments"
        )
    archived = nodes.get("run", {})
    changed = own_roots(archived, {name: getattr(options, name) for name in ROOTS})
    nodes["run"] = {**archived, **changed, "resume": True, "dry": False, "workers": 0}
    try:
        settings = resolve(nodes, explicit=every_key(nodes))
    except ConfigError as error:
        if not str(error).startswith("there is no "):
            raise
        raise ConfigError(
            f"{str(error).rstrip('.')}. If a plug-in brings it: {command_to_resume(directory.path, '--plugin', 'FILE')}"
        ) from error
    if not directory.plan_path.exists():
        raise ResultError(
            f"{directory.path} has no plan.json: it was ended before it began, or the file was lost; start a new run"
        )
    other = folder_of(archived.get("cache_root"))
    if other in (None, settings.run.path("cache_root")):
        other = None
    else:
        print(f"the cache {other} of this run is read, and not written to: --cache-root DIR names one", file=sys.stderr)
    execute(replace(settings, cluster=cluster), directory=directory, also_read=other)
    return 0
