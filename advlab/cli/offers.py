"""What a line may go on with at the tabulator key: commands and their arguments, groups, choices, keys, values and files."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from advlab.cli.launch import parse
from advlab.cli.list import PLURALS
from advlab.cli.option_values import option_values
from advlab.cli.parser import parser_of, positional_at, wants_value
from advlab.config import components
from advlab.config.choices import group_choices
from advlab.config.compose import Composer
from advlab.config.groups import GROUPS, RUN
from advlab.config.identity import component_class
from advlab.config.lists import ChoicesOf
from advlab.config.run_options import RunParams
from advlab.config.schema import parameters
from advlab.errors import AdvlabError

FLAGS = (
    "--help",
    "--version",
    "--multirun",
    "-m",
    "--plugin",
    "--cfg",
    "--info",
    "--config-dir",
    "--package",
    "--resolve",
)
OF_FLAGS = {
    "--cfg": ("job", "hydra", "all"),
    "-c": ("job", "hydra", "all"),
    "--info": ("defaults", "defaults-tree", "searchpath"),
}
FOLDERS = ("--config-dir", "-cd")
LAUNCHERS = ("basic", "joblib", "submitit_local", "submitit_slurm")
IS_FILE = re.compile(r"(^|_)(root|checkpoint|file|labels)$")  # keys whose value is a path


def offers(words: Sequence[str], last: str, verbs: Sequence[str]) -> list[str]:
    """Whole words that may stand in the place of the last, each with a space behind it where nothing can follow it.

    Args:
        words: those before the last, without the command's name and without plug-ins, which have been loaded.
        last: the word at the cursor, which may be empty.
        verbs: the commands.
    """
    previous = words[-1] if words else ""
    if words and words[0] in verbs:
        return arguments_of(words[0], words[1:], last)
    if previous in OF_FLAGS:
        return beginning(OF_FLAGS[previous], last)
    if previous in FOLDERS:
        return paths(last, "/")
    if last.startswith("-"):
        return beginning(FLAGS, last)
    key, equals, value = last.partition("=")
    if equals:
        return [f"{key}={offered}" for offered in values(words, key, value)]
    mark = key[: len(key) - len(key.lstrip("+~"))]
    group, dot, start = key[len(mark) :].partition(".")
    if dot:
        return [f"{mark}{group}.{name}=" for name in keys(words, group) if name.startswith(start)]
    roots = [*(f"{name}=" for name in GROUPS if name != RUN), *(f"{name}." for name in GROUPS), "hydra/launcher="]
    return [*([] if words else beginning(verbs, last)), *(mark + root for root in roots if root.startswith(group))]


def beginning(choices: Iterable[str], last: str) -> list[str]:
    """The choices that begin with what is typed."""
    return [f"{choice} " for choice in choices if choice.startswith(last)]


def arguments_of(verb: str, words: Sequence[str], last: str) -> list[str]:
    """What a command's argument may be."""
    parser = parser_of(verb)
    if parser is None:
        return []
    options = {name: action for action in parser._actions for name in action.option_strings}
    option, equals, value = last.partition("=")
    if equals and option in options:
        return [f"{option}={offered}" for offered in of_action(verb, options[option], words, value)]
    previous = options.get(words[-1]) if words else None
    if previous is not None and wants_value(previous):
        return of_action(verb, previous, words, last)
    if last.startswith("-"):
        return beginning((*options, "--plugin"), last)
    action = positional_at(parser, words)
    return of_action(verb, action, words, last) if action is not None else []


def of_action(verb: str, action: Any, words: Sequence[str], last: str) -> list[str]:
    """What one argument of a command may be, by what its parser says of it."""
    wanted = str(action.metavar or action.dest)
    if action.choices is not None:
        return beginning(map(str, action.choices), last)
    if wanted == "RUN":
        return runs(last)
    if wanted in ("DIR", "FOLDER"):
        return paths(last, "/")
    if wanted == "family":
        return beginning(PLURALS, last)
    if named := option_values(action.dest):
        return beginning(named, last)
    if wanted == "NAME":
        names = {name for group in components.REGISTRIES for name in group_choices(group)} - {"none"}
        return beginning(sorted(names | {RUN}), last)
    if verb == "resume":  # who goes on with it
        found = offers(["-"], last, ())
        return [text for text in found if text.startswith("cluster")] or [
            t for t in ("run.workers=",) if t.startswith(last)
        ]
    return paths(last) if action.type is Path else []


def values(words: Sequence[str], key: str, value: str) -> list[str]:
    """What may stand behind `KEY=`; of a list or a sweep, with what stands there before its last part."""
    name = key.lstrip("+~")
    group, dot, parameter = name.partition(".")
    before = value[: max(value.rfind(","), value.rfind("[")) + 1]
    part = value[len(before) :]
    end = "" if "[" in before else " "
    if name == "hydra/launcher":
        return beginning(LAUNCHERS, value)
    if not dot:
        found = group_choices(group) if group in GROUPS and group != RUN else []
        return [f"{before}{choice}{end}" for choice in found if choice.startswith(part)]
    if IS_FILE.search(parameter):
        return paths(value)
    annotation = factory_keys(words, group).get(parameter)
    if (listed := listed_group(annotation)) is not None:
        return [f"{before or '['}{choice}" for choice in group_choices(listed) if choice.startswith(part)]
    return [f"{before}{choice}{end}" for choice in literals(annotation) if choice.startswith(part)]


def listed_group(annotation: Any) -> str | None:
    """The group whose choices a parameter lists."""
    marks = [mark.group for mark in getattr(annotation, "__metadata__", ()) if isinstance(mark, ChoicesOf)]
    return marks[0] if marks else None


def literals(annotation: Any) -> list[str]:
    """The values of a parameter that has a few."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if annotation is bool:
        return ["true", "false"]
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return [text for part in get_args(annotation) for text in literals(part)]


def keys(words: Sequence[str], group: str) -> list[str]:
    """The keys of a group's component, as the words before choose it."""
    return list(factory_keys(words, group))


def factory_keys(words: Sequence[str], group: str) -> dict[str, Any]:
    """Key -> annotation of a group's component."""
    if group not in GROUPS:
        return {}
    component: Any = RunParams if group == RUN else chosen_component(words, group)
    if component is None:
        return {}
    factory = component.Params if group == "experiment" else component
    return {name: parameter.annotation for name, parameter in parameters(factory).items()}


def chosen_component(words: Sequence[str], group: str) -> Any:
    """The component that a line chooses in a group: of a sweep the first, and where the line does not compose, the typed one."""
    first = [re.sub(r"^([\w/]+=[^\[{'\",]*),.*", r"\1", word) for word in words if word]
    typed = [word for word in first if re.fullmatch(r"\w+=\w+", word) and word.partition("=")[0] in GROUPS]
    for overrides in (first, typed, []):
        with contextlib.suppress(AdvlabError):
            line = parse(overrides)
            with Composer(line.flags.config_dir) as composer:
                return component_class(group, composer.compose(line.overrides)[0][group])
    return None


def runs(last: str) -> list[str]:
    """Folders on the way to runs, and runs; where nothing is typed yet, the folder of outputs, if it is there."""
    if not last and (output := Path(RunParams().output_root)).is_dir():
        last = f"{output}/"
    return [
        f"{text[:-1]} " if (Path(text).expanduser() / "config.yaml").is_file() else text for text in paths(last, "/")
    ]


def paths(last: str, end: str = "") -> list[str]:
    """Folders, with a slash, and files that begin with what is typed.

    Args:
        last: as typed; `~` stays as it is.
        end: of the names of the files: an ending, or `/` where no files are wanted.
    """
    folder, slash, start = last.rpartition("/")
    found = []
    with contextlib.suppress(OSError, RuntimeError):
        for entry in sorted(os.scandir(Path(folder + slash or ".").expanduser()), key=lambda entry: entry.name):
            if not entry.name.startswith(start) or (entry.name.startswith(".") and not start.startswith(".")):
                continue
            if entry.is_dir():
                found.append(f"{folder}{slash}{entry.name}/")
            elif entry.name.endswith(end) and end != "/":
                found.append(f"{folder}{slash}{entry.name} ")
    return found
