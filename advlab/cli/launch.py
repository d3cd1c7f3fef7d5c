"""A command line that is no verb: one run, a sweep, or what Hydra shows of a configuration."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Sequence
from typing import Any

import yaml

from advlab.cli.help import HELP
from advlab.cli.streams import require_printed, say_meanwhile
from advlab.config.compose import Composer
from advlab.config.groups import GROUPS
from advlab.config.hydra_main import CommandLine, hydra_main, no_task
from advlab.config.identity import Nodes
from advlab.config.labels import label_with_options
from advlab.config.overrides import explicit_keys, with_texts_as_typed
from advlab.config.settings import Settings
from advlab.errors import ConfigError, suggest


def parse(arguments: Sequence[str]) -> CommandLine:
    """Hydra's flags, wherever they stand among the overrides.

    Raises:
        ConfigError: an unknown flag, or one without its value.
    """
    parser = argparse.ArgumentParser(prog="advlab", add_help=False, allow_abbrev=False, exit_on_error=False)
    for names in (["--help", "-h"], ["--hydra-help"], ["--multirun", "-m"], ["--run", "-r"], ["--resolve"]):
        parser.add_argument(*names, action="store_true")
    parser.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
    for names in (["--package", "-p"], ["--config-dir", "-cd"]):
        parser.add_argument(*names)
    infos = ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"]
    parser.add_argument("--info", "-i", nargs="?", const="all")
    known = [name for action in parser._actions for name in action.option_strings]
    for argument in arguments:
        flag = argument.split("=", 1)[0]
        if argument.startswith("-") and flag not in known:
            long = [name for name in known if name.startswith("--")]
            raise ConfigError(f"there is no flag {flag}. {suggest(flag, [*long, '--plugin', '--version'])}")
    try:
        flags, overrides = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise ConfigError(f"{error}. `advlab --help` shows what there is") from error
    if flags.info is not None and flags.info not in infos:  # the flag's value may be left out
        if "=" not in flags.info:
            raise ConfigError(f"--info {flags.info}: there is no such information. {suggest(flags.info, infos)}")
        flags.info, overrides = "all", [flags.info, *overrides]
    actions = [f"--{name}" for name in ("cfg", "info", "multirun", "run") if getattr(flags, name)]
    if len(actions) > 1:
        raise ConfigError(f"{' and '.join(actions)} do not go together: leave one out")
    return CommandLine(flags, with_texts_as_typed(overrides))


def launch(arguments: Sequence[str]) -> int:
    """Carry out a command line of flags and overrides; gives the exit code."""
    line = parse(arguments)
    flags = line.flags
    if flags.help or flags.hydra_help or flags.cfg or flags.info:
        return show(line)
    launcher = [text for text in line.overrides if text.lstrip("+~").startswith(("hydra/launcher", "hydra.launcher"))]
    with Composer(flags.config_dir) as composer:
        jobs = composer.jobs(line.overrides, multirun=flags.multirun)
    if launcher and not flags.multirun:
        raise ConfigError(f"{launcher[0]}: a launcher carries out sweeps: add -m, or leave it out")
    if any(job.run.dry for job in jobs):
        for job in jobs:
            run_job(job)
        require_printed()
        return 0
    if said := by_default(line.overrides, jobs[0]):
        print(said, file=sys.stderr, flush=True)
    if not flags.multirun:
        return run_job(jobs[0])
    from advlab.cli.sweep import sweep  # imports the engine, which what is refused above need not wait for

    return sweep(line, jobs)


def by_default(overrides: Sequence[str], settings: Settings) -> str:
    """What was not typed and decides what is measured: the attack of an experiment that needs one, or all of a bare line."""
    typed = explicit_keys(overrides)
    if not overrides:
        chosen = f"experiment={settings.choice_name('experiment')} model={settings.choice_name('model')}"
        return f"by default {chosen} with the paper's number of samples; run.preset=tiny takes seconds, --help shows what there is"
    attack = settings.choice_name("attack")
    if attack == "none" or typed & {"attack", "attack.name"}:
        return ""
    return f"by default attack={attack}; `advlab list attacks` shows others"


def show(line: CommandLine) -> int:
    """Show a job's checked configuration, or let Hydra show its help and its own configuration; gives the exit code."""
    flags = line.flags
    if flags.cfg in (
        "job",
        "all",
    ):  # with all defaults and lists, which stand in no YAML file: Hydra does not know them
        with Composer(flags.config_dir) as composer:
            nodes = composer.jobs(line.overrides, multirun=False)[0].nodes
        of_hydra = flags.cfg == "all" and (flags.package or "hydra").split(".")[0] == "hydra"
        if flags.package is None or not of_hydra:
            print(yaml.safe_dump(part_of(nodes, flags.package), sort_keys=False, allow_unicode=True), end="")
        if not of_hydra:
            require_printed()
            return 0
        flags.cfg = "hydra"
    if line.overrides or flags.config_dir is not None:
        with Composer(flags.config_dir) as composer:  # nothing that a YAML file names may run here either
            composer.jobs(line.overrides, multirun=False)
    if flags.help:
        print(HELP, end="")
        require_printed()
        return 0
    with contextlib.redirect_stderr(io.StringIO()) if flags.package is not None else contextlib.nullcontext():
        code = hydra_main(line, no_task)
    if code and flags.package is not None:
        raise ConfigError(f"--package {flags.package}: there is no such part. {suggest(flags.package, GROUPS)}")
    require_printed()
    return code


def part_of(nodes: Nodes, package: str | None) -> Any:
    """The part of a configuration that `--package` names by a dotted key, or all of it.

    Raises:
        ConfigError: there is no such part.
    """
    part: Any = nodes
    for key in package.split(".") if package is not None else []:
        if not isinstance(part, dict) or key not in part:
            raise ConfigError(f"--package {package}: there is no such part. {suggest(str(package), GROUPS)}")
        part = part[key]
    return part


def run_job(settings: Settings) -> int:
    """One run in this process; gives the exit code."""
    say_meanwhile(f"{settings.experiment.name}, {label_with_options(settings.nodes)}: loading")
    from advlab.engine.runner import execute  # as above

    execute(settings)
    return 0
