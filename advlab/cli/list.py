"""`advlab list`: the choices of every group, or of one."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Sequence
from typing import Any

from advlab.cli.described import as_json
from advlab.cli.parser import Parser
from advlab.config import components
from advlab.config.choices import default_choice, group_choices, read_choice, registered_name
from advlab.config.folder import config_folder
from advlab.config.groups import COMPONENT_GROUPS
from advlab.errors import ConfigError, suggest
from advlab.results.console import on_terminal, show, show_table
from advlab.results.terminal import terminal_width

#: what `advlab list` takes -> the group of the configuration
PLURALS = {group.plural: group.name for group in COMPONENT_GROUPS}


def run(arguments: Sequence[str]) -> None:
    """`advlab list [experiments|models|datasets|attacks|defenses|probes|recipes] [--json]`.

    Raises:
        ConfigError: no such family.
    """
    parser = Parser(prog="advlab list", description="List the choices of every family, or of one.")
    parser.add_argument("family", nargs="?", help=", ".join(PLURALS))
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    options = parser.parse_args(list(arguments))
    family = options.family
    if family is not None and family not in PLURALS and family not in PLURALS.values():
        raise ConfigError(f"there is no family {family!r}. {suggest(family, PLURALS)}")
    groups = list(PLURALS.values()) if family is None else [PLURALS.get(family, family)]
    if options.json:
        print(as_json("list", {"groups": [listed(group) for group in groups]}))
        return
    for number, group in enumerate(groups):
        print(("\n" if number else "") + f"{group}=")
        print_choices(group)


def listed(group: str) -> dict[str, Any]:
    """The choices of a group as data; see `advlab.cli.described`."""
    plural = next(plural for plural, name in PLURALS.items() if name == group)
    choices = [{"name": name, "headline": headline(group, name)} for name in choices_of(group)]
    return {"group": group, "plural": plural, "choices": choices}


def choices_of(group: str) -> list[str]:
    """The choices of a group; an experiment there always is."""
    return [name for name in group_choices(group) if name != "none" or group != "experiment"]


def print_choices(group: str) -> None:
    """The choices of a group, a line each; torchvision's networks together behind them."""
    choices = choices_of(group)
    width = max((len(name) for name in choices), default=0)
    headlines = {name: headline(group, name) for name in choices}
    torchvision = [name for name, text in headlines.items() if text.startswith("torchvision's")]
    rows = [(name, text) for name, text in headlines.items() if name not in torchvision]
    lines = [f"{name:<{width}}  {text}".rstrip() for name, text in rows]
    if on_terminal():
        show_table(["", ""], rows, [f"{name}  {text}" for name, text in rows], "cyan")
    else:
        print(*(f"  {line}" for line in lines), sep="\n")
    if torchvision:
        show("  torchvision's classifiers with their published weights:", fold=True)
        print_wrapped(torchvision, min(110, terminal_width() - 1) if on_terminal() else 110)


def print_wrapped(names: Sequence[str], width: int) -> None:
    """Names one behind the other, in indented lines of at most `width` characters."""
    line = "   "
    for name in names:
        if len(line) + len(name) > width:
            print(line)
            line = "   "
        line += f" {name}"
    print(line)


def headline(group: str, name: str) -> str:
    """One line about a choice."""
    registry = components.REGISTRIES[group]
    said = comment_of(group, name)
    if group == "recipe":
        return said
    component_name = registered_name(group, name)
    component = registry.load(component_name)
    if group == "experiment":
        return f"{component.title} ({component.paper})"
    if name == "none":
        return f"No {group}."
    if name != component_name and group != "model" and said.endswith("."):  # a variant, whose file says what it is
        return said
    text = (inspect.getdoc(component) or "").split("\n")[0]
    own = ", ".join(own_options(group, name))
    return f"{text.removesuffix('.')}; {own}." if own else text


def comment_of(group: str, name: str) -> str:
    """The first line of a packaged YAML file, if it is a comment."""
    path = config_folder() / group / f"{name}.yaml"
    first = path.read_text(encoding="utf-8").splitlines()[:1] if path.is_file() else []
    return first[0].lstrip("# ") if first and first[0].startswith("#") else ""


def own_options(group: str, name: str) -> Iterator[str]:
    """What a packaged choice sets, which tells it from others of the same component; of a model its dataset and recipe."""
    if group == "model":
        brought = {
            word: default_choice(group, name, other) for word, other in (("on", "dataset"), ("by recipe", "recipe"))
        }
        yield from (f"{word} {choice}" for word, choice in brought.items() if choice)
    else:
        options = {key: value for key, value in read_choice(group, name).items() if key != "name"}
        yield from (
            f"{key}={json.dumps(value) if isinstance(value, bool) else value}" for key, value in options.items()
        )
