"""The console script: its exit codes, its plug-ins, and which file of this folder carries out a command line."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Sequence

from advlab import __version__, collection
from advlab.cli.parser import HelpShown
from advlab.cli.streams import (
    flush_streams,
    make_streams_lasting,
    require_printed,
    restart_in_utf8,
    say_meanwhile,
    take_back,
    unprinted,
)
from advlab.config import components
from advlab.config.groups import GROUPS, RUN
from advlab.engine.interrupts import ignore_signals
from advlab.errors import AdvlabError, ConfigError, Interrupted, printable, shorten, suggest

SHOWS = ("list", "describe")
QUICK = (*SHOWS, "completion", "status", "help")  # nothing that they wait for takes long
VERBS = (*SHOWS, "cache", "claims", "compare", "completion", "export", "plot", "report", "resume", "status")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0, 1 (a sweep with failed jobs, a full disk), 2 (bad input), 129, 130 or 143 (signals)."""
    if arguments is None:
        restart_in_utf8(sys.orig_argv)
    make_streams_lasting()
    limit_openmp_spinning()
    collection.hold()
    code = run(list(sys.argv[1:] if arguments is None else arguments))
    ignore_signals()  # all is done: what Python still tidies up must not change how the command has ended
    if code == 0 and (fault := unprinted()):
        print(f"warning: {fault}", file=sys.stderr)
    flush_streams()
    collection.leave()
    sys.exit(code)


def limit_openmp_spinning() -> None:
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
        print(f"advlab: {shorten(printable(str(error)))}", file=sys.stderr)
        return error.exit_code
    except Interrupted as interrupt:
        return interrupt.exit_code
    except KeyboardInterrupt:
        return 130
    except HelpShown:
        return 0
    except SystemExit as end:  # of a plug-in's code: nothing of ours ends a command so
        raise RuntimeError("the code of this command raised SystemExit, which ends programs") from end
    finally:
        take_back()


def _dispatch(arguments: list[str]) -> int:
    plugins, words = take_plugins(arguments)
    if "--version" in words:
        print(f"advlab {__version__}")
        require_printed()
        return 0
    if not words or words[0] not in QUICK:
        say_meanwhile("reading the runs" if words and words[0] in VERBS else "reading the configuration")
    from advlab.plugins.loading import load_plugins  # imports Hydra, which takes a tenth of a second, as launch does

    for file in load_plugins(plugins):
        print(
            f"warning: the plug-in {printable(file)} registers nothing: put @advlab.model(...), or the decorator of what "
            "it is to add, before its function or class",
            file=sys.stderr,
        )
    if words and words[0] == "help":
        words = ["--help", *words[1:]]
    if words and words[0] in ("-sc", "--shell-completion"):  # as Hydra has it, and people in their .bashrc
        words = ["completion", *(word.removeprefix("install=") for word in words[1:])]
    if words and words[0] in VERBS:
        verb = importlib.import_module(f"advlab.cli.{words[0]}")
        collection.settle()
        code: int = verb.run(words[1:]) or 0
        if words[0] in SHOWS:
            require_printed()
        return code
    if words and "=" not in words[0] and not words[0].startswith(("-", "+", "~")):
        raise ConfigError(no_command(words[0]))
    from advlab.cli.launch import launch

    return launch(words)


def no_command(word: str) -> str:
    """What is wrong with a first word that is neither a command nor an override, and what was probably meant."""
    if not word.strip():
        return "an argument is empty: type GROUP=NAME or GROUP.KEY=VALUE, or leave it out"
    group = re.split(r"\W", word)[0]
    if group in GROUPS:
        choice = "" if group == RUN else f"{group}=NAME or "
        wanted = f"{word}=VALUE" if re.fullmatch(r"\w+\.\w+", word) else f"{choice}{group}.KEY=VALUE"
        return f"{word!r} has no value: type {wanted}"
    meant = [f"{group}={word}" for group, registry in components.REGISTRIES.items() if word in registry]
    hint = f"Did you mean {meant[0]}? There are: {', '.join(VERBS)}." if meant else suggest(word, VERBS)
    return f"there is no command {word!r}. {hint} To run an experiment: advlab experiment=NAME model=NAME"


def take_plugins(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files of `--plugin FILE` and `--plugin=FILE`, wherever they stand, and the words that are left.

    Raises:
        ConfigError: a `--plugin` without its file.
    """
    plugins, words = [], []
    iterator = iter(arguments)
    for argument in iterator:
        flag, equals, file = argument.partition("=")
        if flag != "--plugin":
            words.append(argument)
            continue
        file = file if equals else next(iterator, "")
        if not file or file.startswith("-"):
            raise ConfigError("--plugin takes a Python file: advlab --plugin my_model.py model=my_model")
        plugins.append(file)
    return plugins, words
