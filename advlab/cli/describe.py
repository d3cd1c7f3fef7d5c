"""`advlab describe`: what a choice is, its parameters with defaults and sources, its columns, cost and commands."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Sequence
from typing import Any

from advlab.cli.described import Described, as_json, described_columns, described_parameters
from advlab.cli.parser import Parser
from advlab.config import components
from advlab.config.choices import default_choice, group_choices, read_choice, registered_name
from advlab.config.groups import COMPONENT_GROUPS, RUN
from advlab.config.run_options import RunParams
from advlab.errors import ConfigError, of_a_plugin, suggest
from advlab.models.torchvision_networks import NAMES
from advlab.plugins.loading import plugin_words
from advlab.plugins.names import registered_choices
from advlab.results.console import DESCRIPTIONS, on_terminal, show
from advlab.shell import shell_word

#: what a choice may lack
EMPTY: dict[str, Any] = {
    "group": "", "name": "", "component": "", "version": 1, "title": "", "paper": "", "description": "", "groups": [],
    "parameters": [], "of_other_groups": [], "columns": [], "cost": "", "presets": "", "commands": [],
}  # fmt: skip


def run(arguments: Sequence[str]) -> None:
    """`advlab describe NAME [--json]`: what it is, its parameters with defaults and sources, and the commands.

    Raises:
        ConfigError: no such name.
    """
    parser = Parser(prog="advlab describe", description="What a choice is, its parameters and commands.")
    parser.add_argument("name", metavar="NAME", help="a choice that `advlab list` shows, or run")
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    options = parser.parse_args(list(arguments))
    choices = described_choices(options.name)
    if options.json:
        print(as_json("describe", {"name": options.name, "choices": choices}))
        return
    if on_terminal():
        with contextlib.redirect_stdout(said := io.StringIO()):
            print_descriptions(choices)
        show(said.getvalue().rstrip("\n"), DESCRIPTIONS, fold=True)
    else:
        print_descriptions(choices)


def print_descriptions(choices: Sequence[dict[str, Any]]) -> None:
    """Print what `described_choices` gives."""
    for number, choice in enumerate(choices):
        if number:
            print()
        if choice["group"] == "experiment":
            print_experiment(choice)
        elif choice["group"] == RUN:
            print(f"{RUN}: {choice['title']}\n")
            print_parameters(choice["parameters"])
        else:
            print_component(choice)


def described_choices(name: str) -> list[dict[str, Any]]:
    """What is called `name`, for each group that has it; see `advlab.cli.described` for the keys.

    Raises:
        ConfigError: nothing is.
    """
    if name == RUN:
        title = "how a run is carried out"
        return [
            {**EMPTY, "group": RUN, "name": RUN, "title": title, "parameters": described_parameters(RUN, RunParams, {})}
        ]
    choices = {group: group_choices(group) for group in components.REGISTRIES}
    groups = [group for group, names in choices.items() if name in names and name != "none"]
    if not groups:
        every = {choice for names in choices.values() for choice in names if choice != "none"} | {RUN}
        raise ConfigError(f"nothing is called {name!r}. {suggest(name, every)}{of_a_plugin(name, f'describe {name}')}")
    return [
        experiment_facts(name) if group == "experiment" else {**EMPTY, **component_facts(group, name)}
        for group in groups
    ]


def program(group: str, choice: str) -> str:
    """`advlab`, with the files of the plug-ins where a choice may be one of theirs."""
    own = (group, choice) in registered_choices and choice not in NAMES
    return " ".join(["advlab", *map(shell_word, plugin_words() if own else [])])


def component_facts(group: str, choice: str) -> dict[str, Any]:
    """A dataset, model, recipe, attack or probe."""
    name = "recipe" if group == "recipe" else registered_name(group, choice)
    component = components.REGISTRIES[group].load(name)
    doc = inspect.cleandoc(component.__doc__ or "")
    return {
        "group": group, "name": choice, "component": name, "version": getattr(component, "version", 1),
        "title": doc.split("\n")[0], "description": doc,
        "parameters": described_parameters(group, component, read_choice(group, choice)),
        "commands": [f"{program(group, choice)} model={choice}"] if group == "model" else [],
    }  # fmt: skip


def experiment_facts(choice: str) -> dict[str, Any]:
    """An experiment: paper, figure, what it measures, parameters, cost and commands."""
    name = registered_name("experiment", choice)
    cls = components.REGISTRIES["experiment"].load(name)
    others = {group: default_choice("experiment", choice, group) for group in ("probe", "attack")}
    advlab = program("experiment", choice)
    lines = [
        f"{advlab} experiment={choice} run.dry=true            # the plan: cells, forwards, FLOPs, time, memory",
        f"{advlab} experiment={choice} run.preset=laptop",
    ]
    if "model" in cls.uses:
        lines += [
            f"{advlab} experiment={choice} model=lenet_mnist",
            f"{advlab} -m experiment={choice} model=alexnet,vgg16,googlenet,resnet50",
        ]
    return {
        **EMPTY, "group": "experiment", "name": choice, "component": name, "version": getattr(cls, "version", 1),
        "title": cls.title, "paper": cls.paper, "description": inspect.cleandoc(cls.__doc__ or ""),
        "groups": list(cls.groups()),
        "parameters": described_parameters("experiment", cls.Params, read_choice("experiment", choice)),
        "of_other_groups": [
            {"group": group, "name": other, "parameters": component_facts(group, other)["parameters"]}
            for group, other in others.items() if other
        ],
        "columns": described_columns(cls.Row),
        "cost": inspect.cleandoc(cls.cost.__doc__ or ""), "presets": inspect.cleandoc(cls.presets.__doc__ or ""),
        "commands": lines,
    }  # fmt: skip


def print_experiment(facts: dict[str, Any]) -> None:
    """An experiment, as `experiment_facts` has it."""
    print(f"experiment={facts['name']}: {facts['title']}\npaper: {facts['paper']}\n")
    print(f"{facts['description']}\n")
    print(f"groups: {', '.join(facts['groups']) or 'none'}\n")
    print("parameters (as experiment.NAME=VALUE):")
    print_parameters(facts["parameters"])
    for other in facts["of_other_groups"]:
        print(f"\nparameters of its {other['group']} {other['name']} (as {other['group']}.NAME=VALUE):")
        print_parameters(other["parameters"])
    print("\ncolumns of its table:")
    for column in facts["columns"]:
        print(f"  {column['name']:<16} {column['explanation']}".rstrip())
    print(f"\ncost: {facts['cost']}")
    print(f"presets: {facts['presets']}")
    print("\ncommands:", *facts["commands"], sep="\n  ")


def print_component(facts: dict[str, Any]) -> None:
    """A choice of another group, as `component_facts` has it."""
    print(f"{facts['group']}={facts['name']}: {facts['description']}\n")
    print(f"parameters (as {facts['group']}.NAME=VALUE):")
    print_parameters(facts["parameters"])
    for command in facts["commands"]:
        print(f"\ncommand: {command}")


def print_parameters(described: Sequence[Described]) -> None:
    """Name, default, range and explanation of each parameter."""
    if not described:
        print("  none")
    for parameter in described:
        text = "(needed)" if parameter.required else str(parameter.default)
        text = text if len(text) <= 60 else text[:57] + "..."
        many = "each " if parameter.type.startswith(("list", "mapping")) else ""
        allowed = parameter.range
        if parameter.names_of:
            plural = next(group.plural for group in COMPONENT_GROUPS if group.name == parameter.names_of)
            many, allowed = "names of ", f"`advlab list {plural}`"
        print(f"  {parameter.name} = {text}" + (f"  ({many}{allowed})" if allowed else ""))
        if parameter.explanation:
            print(f"      {parameter.explanation}")
