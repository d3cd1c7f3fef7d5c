"""`advlab describe`: what a choice is, its parameters with defaults and sources, its columns, cost and commands."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import io
from collections.abc import Sequence
from typing import Any, get_origin

from advlab.cli.field_comments import field_comments
from advlab.cli.parser import Parser
from advlab.config import components
from advlab.config.choices import default_choice, group_choices, read_choice, registered_name
from advlab.config.groups import COMPONENT_GROUPS
from advlab.config.lists import ChoicesOf
from advlab.config.ranges import range_text
from advlab.config.run_options import RunParams
from advlab.config.schema import parameters
from advlab.errors import ConfigError, suggest
from advlab.results.console import DESCRIPTIONS, on_terminal, show


def run(arguments: Sequence[str]) -> None:
    """`advlab describe NAME`: what it is, its parameters with defaults and sources, and the commands.

    Raises:
        ConfigError: no such name.
    """
    parser = Parser(prog="advlab describe", description="What a choice is, its parameters and commands.")
    parser.add_argument("name", metavar="NAME", help="a choice that `advlab list` shows, or run")
    name = parser.parse_args(list(arguments)).name
    if on_terminal():
        with contextlib.redirect_stdout(said := io.StringIO()):
            print_description(name)
        show(said.getvalue().rstrip("\n"), DESCRIPTIONS)
    else:
        print_description(name)


def print_description(name: str) -> None:
    """Print what a choice is.

    Raises:
        ConfigError: no such name.
    """
    if name == "run":
        print("run: how a run is carried out\n")
        print_parameters("run", RunParams, {})
        return
    choices = {group: group_choices(group) for group in components.REGISTRIES}
    groups = [group for group, names in choices.items() if name in names and name != "none"]
    if not groups:
        every = {choice for names in choices.values() for choice in names if choice != "none"} | {"run"}
        raise ConfigError(f"nothing is called {name!r}. {suggest(name, every)}")
    for number, group in enumerate(groups):
        if number:
            print()
        if group == "experiment":
            describe_experiment(name)
        else:
            describe_component(group, name)


def describe_experiment(choice: str) -> None:
    """An experiment: paper, figure, what it measures, parameters, cost and commands."""
    name = registered_name("experiment", choice)
    cls = components.REGISTRIES["experiment"].load(name)
    print(f"experiment={choice}: {cls.title}\npaper: {cls.paper}\n")
    print(f"{inspect.cleandoc(cls.__doc__ or '')}\n")
    print(f"groups: {', '.join(cls.groups()) or 'none'}\n")
    print("parameters (as experiment.NAME=VALUE):")
    print_parameters("experiment", cls.Params, read_choice("experiment", choice))
    for group in ("probe", "attack"):
        default = default_choice("experiment", choice, group)
        if default:
            print(f"\nparameters of its {group} {default} (as {group}.NAME=VALUE):")
            component = components.REGISTRIES[group].load(registered_name(group, default))
            print_parameters(group, component, read_choice(group, default))
    print("\ncolumns of its table:")
    for field in dataclasses.fields(cls.Row):
        print(f"  {field.name:<16} {field_comments(cls.Row).get(field.name, '')}".rstrip())
    print(f"\ncost: {inspect.cleandoc(cls.cost.__doc__ or '')}")
    print(f"presets: {inspect.cleandoc(cls.presets.__doc__ or '')}")
    print("\ncommands:")
    print(f"  advlab experiment={choice} run.dry=true            # the plan: cells, forwards, FLOPs, time, memory")
    print(f"  advlab experiment={choice} run.preset=laptop")
    if "model" in cls.uses:
        print(f"  advlab experiment={choice} model=lenet_mnist")
        print(f"  advlab -m experiment={choice} model=alexnet,vgg16,googlenet,resnet50")


def describe_component(group: str, choice: str) -> None:
    """A dataset, model, recipe, attack or probe."""
    name = "recipe" if group == "recipe" else registered_name(group, choice)
    component = components.REGISTRIES[group].load(name)
    print(f"{group}={choice}: {inspect.cleandoc(component.__doc__ or '')}\n")
    print(f"parameters (as {group}.NAME=VALUE):")
    print_parameters(group, component, read_choice(group, choice))
    if group == "model":
        print(f"\ncommand: advlab model={choice}")


def listed_group(annotation: Any) -> str | None:
    """The plural of the group whose choices a parameter names; None of other parameters."""
    marks = [mark.group for mark in getattr(annotation, "__metadata__", ()) if isinstance(mark, ChoicesOf)]
    return next((group.plural for group in COMPONENT_GROUPS if group.name in marks), None)


def print_parameters(group: str, component: Any, node: dict[str, Any]) -> None:
    """Name, default, range and explanation of each parameter; a choice's own values replace the defaults."""
    known = parameters(component)
    if not known:
        print("  none")
    notes = field_comments(component)
    for name, parameter in known.items():
        default = parameter.default
        if dataclasses.is_dataclass(component):
            field = {f.name: f for f in dataclasses.fields(component)}[name]
            default = field.default_factory() if callable(field.default_factory) else field.default
        value = node.get(name, default)
        if value is inspect.Parameter.empty or value is dataclasses.MISSING:
            value = "(needed)"
        text = str(value)
        text = text if len(text) <= 60 else text[:57] + "..."
        many = "each " if get_origin(parameter.annotation) in (list, tuple, dict) else ""
        allowed = range_text(parameter.annotation)
        if (group_of := listed_group(parameter.annotation)) is not None:
            many, allowed = "names of ", f"`advlab list {group_of}`"
        print(f"  {name} = {text}" + (f"  ({many}{allowed})" if allowed else ""))
        if notes.get(name):
            print(f"      {notes[name]}")
