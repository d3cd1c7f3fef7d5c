"""`advlab resume`: measure what is missing, and rebuild what is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from advlab.cli.parser import Parser
from advlab.config.settings import every_key, resolve
from advlab.engine.runner import execute
from advlab.errors import ConfigError, ResultError
from advlab.store.run_directory import RunDirectory


def run(arguments: Sequence[str]) -> int:
    """`advlab resume RUN`: measure what is missing, and rebuild what is damaged."""
    parser = Parser(prog="advlab resume", description="Go on with a run: only what is missing is measured.")
    parser.add_argument("run", type=Path, metavar="RUN")
    options = parser.parse_args(list(arguments))
    directory = RunDirectory.open(options.run)
    nodes = directory.nodes()
    nodes["run"] = {**nodes.get("run", {}), "resume": True, "dry": False}
    try:
        settings = resolve(nodes, explicit=every_key(nodes))
    except ConfigError as error:
        raise ConfigError(
            f"{str(error).rstrip('.')}. If a plug-in brings it: advlab --plugin FILE resume {directory.path}"
        ) from error
    if not directory.plan_path.exists():
        raise ResultError(f"{directory.path} has no plan.json: it was ended before it began; start a new run")
    execute(settings, directory=directory)
    return 0
