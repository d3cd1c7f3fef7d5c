"""Composes the configuration with Hydra, checks every job of it, and runs one job here or hands a sweep to Hydra."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.errors import AdvlabError, ConfigError, Interrupted, suggest
from advlab.schema import GROUPS, Settings, resolve

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


def parse(arguments: Sequence[str]) -> Line:
    """Hydra's flags, wherever they stand among the overrides.

    Raises:
        ConfigError: an unknown flag, or one without its value.
    """
    parser = argparse.ArgumentParser(prog="advlab", add_help=False, allow_abbrev=False, exit_on_error=False)
    for names in (["--help", "-h"], ["--hydra-help"], ["--multirun", "-m"], ["--run", "-r"], ["--resolve"]):
        parser.add_argument(*names, action="store_true")
    parser.add_argument("--shell-completion", "-sc", action="store_true")
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
        flags, rest = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError as error:
        raise ConfigError(f"{error}. `advlab --help` shows what there is") from error
    if flags.info is not None and flags.info not in infos:  # the flag's value may be left out
        if "=" not in flags.info:
            raise ConfigError(f"--info {flags.info}: there is no such information. {suggest(flags.info, infos)}")
        flags.info, rest = "all", [flags.info, *rest]
    shows = [f"--{name}" for name in ("cfg", "info", "shell_completion", "multirun", "run") if getattr(flags, name)]
    if len(shows) > 1:
        raise ConfigError(f"{' and '.join(shows).replace('_', '-')} do not go together: leave one out")
    return Line(flags, rest)


def launch(arguments: Sequence[str]) -> int:
    """Everything but the verbs; returns the exit code."""
    line = parse(arguments)
    flags = line.flags
    if flags.shell_completion:
        return complete(line)
    if flags.help or flags.hydra_help or flags.cfg or flags.info:
        if line.overrides or flags.config_dir is not None:
            with Composer(flags.config_dir) as composer:  # nothing that a YAML file names may run here either
                composer.jobs(line.overrides, multirun=False)
        with contextlib.redirect_stderr(io.StringIO()) if flags.package is not None else contextlib.nullcontext():
            code = hydra_main(line, job_unused)
        if code and flags.package is not None:
            raise ConfigError(f"--package {flags.package}: there is no such part. {suggest(flags.package, GROUPS)}")
        return code
    launcher = [text for text in line.overrides if text.startswith(("hydra/launcher", "hydra.launcher"))]
    with Composer(flags.config_dir) as composer:
        jobs = composer.jobs(line.overrides, multirun=flags.multirun)
    if launcher and not flags.multirun:
        raise ConfigError(f"{launcher[0]}: a launcher carries out sweeps: add -m, or leave it out")
    if any(job.run.dry for job in jobs):
        for job in jobs:
            run_job(job)
        return 0
    if not flags.multirun:
        return run_job(jobs[0])
    return sweep(line, jobs)


def run_job(settings: Settings) -> int:
    """One run in this process."""
    from advlab.runner import execute

    execute(settings)
    return 0


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
        return resolve({str(key): value for key, value in content.items()}, explicit_keys(overrides))

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


# sweeps


def sweep(line: Line, jobs: Sequence[Settings]) -> int:
    """Run every job by Hydra's launcher; failed ones do not hide the others; 1 when any failed."""
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    root = jobs[0].run.path("output_root").resolve() / ".sweeps"
    folder = root / f"{stamp}-{os.getpid()}"
    overrides = [
        *line.overrides,
        f"hydra.sweep.dir={json.dumps(str(folder), ensure_ascii=False)}",
        "hydra.job.chdir=false",
    ]
    signum = 0
    failure: BaseException | None = None
    try:
        hydra_main(Line(line.flags, overrides), job)
    except Interrupted as interrupt:
        signum = interrupt.signum
    except KeyboardInterrupt:
        signum = 2
    except Exception as error:  # Hydra raises the first failed job's error after all have run; they are listed below
        failure = error
    outcomes = read_outcomes(folder)
    print(f"\n{len(jobs)} jobs:")
    failed = 0
    for number in range(len(jobs)):
        outcome = outcomes.get(
            number, {"status": "did not finish", "detail": "see the launcher's log in " + str(folder)}
        )
        failed += outcome["status"] not in ("complete", "nothing left to do")
        words = " ".join(outcome.get("overrides", []))
        print(f"  {number}  {outcome['status']:<18} {words}  {outcome.get('detail', '')}")
    paths = [
        outcomes[n]["detail"] for n in sorted(outcomes) if outcomes[n]["status"] in ("complete", "nothing left to do")
    ]
    if len(paths) > 1 and len({settings.experiment.name for settings in jobs}) == 1:
        from advlab.commands import plot_runs

        print(f"together: {plot_runs([Path(path) for path in paths])[0]}")
        print("again:    advlab plot " + " ".join(paths))
    if signum:
        return 128 + signum
    if failed:
        print(f"advlab: {failed} of {len(jobs)} jobs failed", file=sys.stderr)
        return 1
    if failure is not None:
        raise failure
    return 0


def read_outcomes(folder: Path) -> dict[int, dict[str, Any]]:
    """Number of the job -> how it ended, from what each job wrote."""
    outcomes = {}
    for path in sorted(folder.glob("outcome-*.json")):
        outcomes[int(path.stem.rpartition("-")[2])] = json.loads(path.read_text(encoding="utf-8"))
    return outcomes


def job(config: Any) -> str:
    """One job of a sweep, in this process or on a cluster's node."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from advlab.plugins import load_plugins
    from advlab.runner import execute
    from advlab.storage import write_atomic

    hydra = HydraConfig.get()
    number = int(hydra.job.num)
    overrides = list(hydra.overrides.task)
    path = Path(hydra.sweep.dir) / f"outcome-{number}.json"

    def say(status: str, detail: str) -> None:
        shown = [text.lstrip("+") for text in overrides]
        content = {"status": status, "detail": detail, "overrides": shown}
        write_atomic(path, json.dumps(content, ensure_ascii=False).encode())

    try:
        load_plugins()
        content = OmegaConf.to_container(config, resolve=True)
        assert isinstance(content, dict)
        print(f"[{number}] {' '.join(text.lstrip('+') for text in overrides)}", file=sys.stderr, flush=True)
        outcome = execute(resolve({str(k): v for k, v in content.items()}, explicit_keys(overrides)))
        say(outcome.status, str(outcome.path))
        return str(outcome.path)
    except AdvlabError as error:
        say("failed", str(error))
        print(f"advlab: {error}", file=sys.stderr)
        raise JobFailed(str(error)) from None
    except Interrupted:
        say("interrupted", "")
        raise
    except Exception as error:
        import traceback

        say("failed", f"{type(error).__name__}: {error}")
        traceback.print_exc()
        raise


class JobFailed(Exception):
    """A job ended with an error that has been reported."""


def job_unused(config: Any) -> None:
    """Hydra wants a task function also where none runs."""


# Hydra's own main


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


def complete(line: Line) -> int:
    """Hydra's shell completion, which must not see our own flag."""
    text = os.environ.get("COMP_LINE")
    if text is not None:
        from advlab.plugins import load_plugins

        files = re.findall(r"--plugin[= ]\s*(\S+)", text)
        with contextlib.suppress(AdvlabError):
            load_plugins([f for f in files if Path(f).is_file()])
        os.environ["COMP_LINE"] = re.sub(r"\s--plugin(?:=|\s+)\S*(?=\s)", "", text)
    return hydra_main(line, job_unused)
