"""The console script: verbs, then Hydra with every override checked first; imports no torch until a run starts."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from advlab.errors import AdvlabError, ConfigError, Interrupted, shorten, suggest

VERBS = ("list", "describe", "plot", "resume")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 1 (a sweep with failed jobs, a full disk), 2 (bad input), 130 or 143 (signals)."""
    wait_briefly()
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def wait_briefly() -> None:
    """Let GNU OpenMP's threads spin for microseconds only, before torch is loaded.

    By default they spin for so long that two runs on the same cores are each many times slower; without any spinning a
    run alone is slower by a tenth. What the user has set stays.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def run(arguments: list[str]) -> int:
    """The command line as a function: returns the exit code; a defect of the program keeps its traceback."""
    try:
        return _dispatch(arguments)
    except AdvlabError as error:
        print(f"advlab: {shorten(str(error))}", file=sys.stderr)
        return error.exit_code
    except Interrupted as interrupt:
        return interrupt.exit_code
    except KeyboardInterrupt:
        return 130
    except SystemExit as end:  # argparse, after the help of a command
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        raise
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _dispatch(arguments: list[str]) -> int:
    from advlab.plugins.loading import load_plugins

    plugins, rest = take_plugins(arguments)
    if "--version" in rest:
        from advlab import __version__

        print(f"advlab {__version__}")
        return 0
    load_plugins(plugins)
    if rest and rest[0] == "help":
        rest = ["--help", *rest[1:]]
    if rest and rest[0] in VERBS:
        verb = importlib.import_module(f"advlab.cli.{rest[0]}")
        return verb.run(rest[1:]) or 0
    for argument in rest[:1]:
        if "=" not in argument and not argument.startswith(("-", "+", "~")):
            raise ConfigError(no_command(argument))
    from advlab.cli import launch

    return launch.launch(rest)


def no_command(word: str) -> str:
    """What is wrong with a first word that is neither a command nor an override, and what was probably meant."""
    import re

    from advlab.config import components

    if not word.strip():
        return "an argument is empty: type GROUP=NAME or GROUP.KEY=VALUE, or leave it out"
    group = re.split(r"\W", word)[0]
    if group in (*components.FAMILIES, "run"):
        wanted = f"{word}=VALUE" if re.fullmatch(r"\w+\.\w+", word) else f"{group}=NAME or {group}.KEY=VALUE"
        return f"{word!r} has no value: type {wanted}"
    meant = [f"{family}={word}" for family, registry in components.FAMILIES.items() if word in registry]
    hint = f"Did you mean {meant[0]}? There are: {', '.join(VERBS)}." if meant else suggest(word, VERBS)
    return f"there is no command {word!r}. {hint} To run an experiment: advlab experiment=NAME model=NAME"


def take_plugins(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split `--plugin FILE` and `--plugin=FILE`, wherever they stand, from the rest.

    Raises:
        ConfigError: a `--plugin` without its file.
    """
    plugins, rest = [], []
    iterator = iter(arguments)
    for argument in iterator:
        flag, equals, file = argument.partition("=")
        if flag != "--plugin":
            rest.append(argument)
            continue
        file = file if equals else next(iterator, "")
        if not file or file.startswith("-"):
            raise ConfigError("--plugin takes a Python file: advlab --plugin my_model.py model=my_model")
        plugins.append(file)
    return plugins, rest
