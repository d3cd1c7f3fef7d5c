"""The verbs beside running: list, describe, plot and resume; none of them imports torch, but resume when it measures."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from advlab import components
from advlab.errors import ConfigError, ResultError, suggest
from advlab.plugins import config_folder
from advlab.results import RunDirectory
from advlab.schema import RunParams, parameters, resolve

PLURALS = {
    "experiments": "experiment", "models": "model", "datasets": "dataset", "attacks": "attack", "probes": "probe",
    "recipes": "recipe",
}  # fmt: skip


def command_list(arguments: Sequence[str]) -> None:
    """`advlab list [experiments|models|datasets|attacks|probes|recipes]`.

    Raises:
        ConfigError: no such family.
    """
    parser = _Parser(prog="advlab list", description="List the choices of every family, or of one.")
    parser.add_argument("family", nargs="?", help=", ".join(PLURALS))
    options = parser.parse_args(list(arguments))
    arguments = [] if options.family is None else [options.family]
    if arguments and arguments[0] not in PLURALS and arguments[0] not in PLURALS.values():
        raise ConfigError(f"there is no family {arguments[0]!r}. {suggest(arguments[0], PLURALS)}")
    wanted = [PLURALS.get(name, name) for name in arguments] or list(PLURALS.values())
    for number, group in enumerate(wanted):
        print(("\n" if number else "") + f"{group}=")
        choices = [name for name in group_choices(group) if name != "none" or group != "experiment"]
        width = max((len(name) for name in choices), default=0)
        torchvision = []
        for name in choices:
            text = headline(group, name)
            if text.startswith("torchvision's"):
                torchvision.append(name)
            else:
                print(f"  {name:<{width}}  {text}".rstrip())
        if torchvision:
            print("  torchvision's classifiers with their published weights:")
            line = "   "
            for name in torchvision:
                if len(line) + len(name) > 110:
                    print(line)
                    line = "   "
                line += f" {name}"
            print(line)


def group_choices(group: str) -> list[str]:
    """The choices of a Hydra group: YAML files and plug-ins."""
    from hydra.core.config_store import ConfigStore

    folder = Path(config_folder()) / group
    names = {path.stem for path in folder.glob("*.yaml")}
    stored = ConfigStore.instance().repo.get(group, {})
    names |= {str(key).removesuffix(".yaml") for key in stored}
    return sorted(names)


def headline(group: str, name: str) -> str:
    """One line about a choice."""
    registry = components.FAMILIES[group]
    if group == "recipe":
        path = Path(config_folder()) / group / f"{name}.yaml"
        first = path.read_text(encoding="utf-8").splitlines()[:1] if path.is_file() else []
        return first[0].lstrip("# ") if first and first[0].startswith("#") else ""
    component = registry.load(registered_name(group, name))
    if group == "experiment":
        return f"{component.title} ({component.paper})"
    return (inspect.getdoc(component) or "").split("\n")[0]


def registered_name(group: str, choice: str) -> str:
    """The component that a choice of a group names: a YAML file may be a variant of another name's."""
    if choice in components.FAMILIES[group]:
        return choice
    node = read_choice(group, choice)
    return str(node.get("name", choice))


def read_choice(group: str, choice: str) -> dict[str, Any]:
    """The node that a packaged YAML file gives its group."""
    import yaml

    path = Path(config_folder()) / group / f"{choice}.yaml"
    if not path.is_file():
        return {}
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    node = content.get(group)
    node = node if isinstance(node, dict) else content  # `library` has a key `attack` of its own
    return node if isinstance(node, dict) else {}


def command_describe(arguments: Sequence[str]) -> None:
    """`advlab describe NAME`: what it is, its parameters with defaults and sources, and the commands.

    Raises:
        ConfigError: no such name.
    """
    parser = _Parser(prog="advlab describe", description="What a choice is, its parameters and commands.")
    parser.add_argument("name", metavar="NAME", help="a choice that `advlab list` shows, or run")
    name = parser.parse_args(list(arguments)).name
    if name == "run":
        print("run: how a run is carried out\n")
        print_parameters("run", RunParams, {})
        return
    known = {group: group_choices(group) for group in components.FAMILIES}
    groups = [group for group, names in known.items() if name in names and name != "none"]
    if not groups:
        every = {choice for names in known.values() for choice in names if choice != "none"} | {"run"}
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
    cls = components.EXPERIMENTS.load(name)
    print(f"experiment={choice}: {cls.title}\npaper: {cls.paper}\n")
    print(f"{inspect.cleandoc(cls.__doc__ or '')}\n")
    print(f"groups: {', '.join(cls.uses) or 'none'}\n")
    print("parameters (as experiment.NAME=VALUE):")
    print_parameters("experiment", cls.Params, read_choice("experiment", choice))
    for group in ("probe", "attack"):
        default = default_choice("experiment", choice, group)
        if default:
            print(f"\nparameters of its {group} {default} (as {group}.NAME=VALUE):")
            component = components.FAMILIES[group].load(registered_name(group, default))
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
    component = components.FAMILIES[group].load(name)
    print(f"{group}={choice}: {inspect.cleandoc(component.__doc__ or '')}\n")
    print(f"parameters (as {group}.NAME=VALUE):")
    print_parameters(group, component, read_choice(group, choice))
    if group == "model":
        print(f"\ncommand: advlab model={choice}")


def default_choice(group: str, choice: str, other: str) -> str:
    """What an experiment's YAML chooses in another group."""
    import yaml

    path = Path(config_folder()) / group / f"{choice}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for entry in (content or {}).get("defaults", []):
        if isinstance(entry, dict):
            for key, value in entry.items():
                if key.removeprefix("override ").strip() == f"/{other}" and value != "none":
                    return str(value)
    return ""


def print_parameters(group: str, component: Any, node: dict[str, Any]) -> None:
    """Name, default and explanation of each parameter; a choice's own values replace the defaults."""
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
        shown = str(value)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        print(f"  {name} = {shown}" + (f"\n      {notes[name]}" if notes.get(name) else ""))


def field_comments(component: Any) -> dict[str, str]:
    """What the source says about each field: the comment behind or above it, or the class's `Attributes:` section."""
    notes: dict[str, str] = {}
    for cls in reversed(inspect.getmro(component) if inspect.isclass(component) else [component]):
        if cls is object:
            continue
        section = re.search(r"Attributes:\n(.*?)(?:\n\n|\Z)", inspect.getdoc(cls) or "", re.DOTALL)
        if section and inspect.isclass(cls) and "__doc__" in vars(cls):
            for names, text in re.findall(r"^    ([\w, ]+): (.*(?:\n {8}.*)*)", section[1], re.MULTILINE):
                for one in names.split(", "):
                    notes[one] = re.sub(r"\s+", " ", text)
        try:
            source = inspect.getsource(cls)
        except (OSError, TypeError):
            continue
        above = ""
        for line in source.splitlines():
            comment = re.match(r"\s+#: ?(.*)", line)
            if comment:
                above = f"{above} {comment[1]}".strip()
                continue
            match = re.match(r"    \s*(\w+): [^#]*?(?:  # (.*))?$", line)
            if match and (match[2] or above):
                notes[match[1]] = match[2] or above
            above = ""
    return notes


def command_plot(arguments: Sequence[str]) -> None:
    """`advlab plot RUN... [--output FILE]`: redraw from the CSV files."""
    parser = _Parser(
        prog="advlab plot", description="Redraw figures from the tables of runs; several are drawn together."
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN")
    parser.add_argument("--output", "-o", type=Path, help="file (.png, .pdf, .svg), or a stem for PNG and PDF")
    options = parser.parse_args(list(arguments))
    from advlab.together import read_together

    found = read_together(options.runs)
    for path in found.plot(options.output):
        print(path)
    if len(options.runs) > 1:
        print(found.text())


def command_resume(arguments: Sequence[str]) -> int:
    """`advlab resume RUN`: measure what is missing, and rebuild what is damaged."""
    from advlab.runner import execute

    parser = _Parser(prog="advlab resume", description="Go on with a run: only what is missing is measured.")
    parser.add_argument("run", type=Path, metavar="RUN")
    options = parser.parse_args(list(arguments))
    directory = RunDirectory.open(options.run)
    nodes = directory.nodes()
    nodes["run"] = {**nodes.get("run", {}), "resume": True, "dry": False}
    every = frozenset(f"{group}.{key}" for group, node in nodes.items() for key in node)
    try:
        settings = resolve(nodes, explicit=every)
    except ConfigError as error:
        raise ConfigError(f"{error} If a plug-in brings it: advlab --plugin FILE resume {directory.path}") from error
    if directory.plan_path.exists() and directory.plan()["digest"] != settings.digest:
        raise ResultError(f"{directory.config_path} does not match plan.json: one of them was changed; start a new run")
    if not directory.plan_path.exists():
        raise ResultError(f"{directory.path} has no plan.json: it was ended before it began; start a new run")
    execute(settings, directory=directory)
    return 0


class _Parser(argparse.ArgumentParser):
    """argparse, with our errors."""

    def error(self, message: str) -> Any:
        raise ConfigError(f"{self.prog}: {message}. {' '.join(self.format_usage().split())}")
