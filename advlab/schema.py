"""Typed configuration: turns plain mappings into components and refuses what no signature knows, without torch."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from advlab import components
from advlab.errors import ConfigError, suggest
from advlab.storage import canonical, sha256

GROUPS = ("dataset", "recipe", "model", "attack", "probe", "experiment", "run")
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def parameters(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The configurable parameters of a component, by name, with annotations resolved."""
    plain = inspect.isclass(factory) and not dataclasses.is_dataclass(factory)
    # mypy: a subclass may have another __init__; here it is that of this very class which is asked for
    target = factory.__init__ if plain else factory  # type: ignore[misc]
    hints = typing.get_type_hints(target)
    skipped = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        name: parameter.replace(annotation=hints.get(name, Any))
        for name, parameter in inspect.signature(factory).parameters.items()
        if parameter.kind not in skipped and name != "self"
    }


def keyword_parameters(
    kind: str, name: str, function: Callable[..., Any], taken: Sequence[str]
) -> list[inspect.Parameter]:
    """The parameters of a plug-in's function, or of a class's constructor, as keywords with annotations resolved.

    Annotations that cannot be resolved (names imported for type checkers only) are Any.

    Raises:
        ConfigError: a parameter has a name that every component of this kind has, or is positional only.
    """
    target = function.__init__ if inspect.isclass(function) else function  # type: ignore[misc]  # of this very class
    names = {**getattr(target, "__globals__", {}), **getattr(target, "__builtins__", {})}
    own = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.name in taken or parameter.kind is parameter.POSITIONAL_ONLY:
            why = "every one has it" if parameter.name in taken else "it cannot be given by name"
            raise ConfigError(f"the {kind} {name} has a parameter {parameter.name!r}, but {why}: rename or change it")
        hint = Any if parameter.annotation is parameter.empty else parameter.annotation
        if isinstance(hint, str):
            try:
                hint = eval(hint, names)  # the plug-in's own code, as typing.get_type_hints does it
            except Exception:
                hint = Any
        own.append(parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hint))
    return own


def construct(factory: Callable[..., Any], node: Mapping[str, Any], where: str) -> Any:
    """Call `factory` with the checked and converted entries of `node`.

    Raises:
        ConfigError: an unknown key (near names offered), a missing one, a wrong type, or a value the factory refuses.
    """
    known = parameters(factory)
    arguments = {}
    for key, value in node.items():
        if key not in known:
            raise ConfigError(f"{where}.{key}: there is no such key. {suggest(str(key), known)}")
        arguments[key] = convert(value, known[key].annotation, f"{where}.{key}")
    missing = [key for key, p in known.items() if p.default is inspect.Parameter.empty and key not in arguments]
    if missing:
        raise ConfigError(f"{where}.{missing[0]}: a value is needed: type {where}.{missing[0]}=...")
    try:
        return factory(**arguments)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def convert(value: Any, hint: Any, where: str) -> Any:
    """`value` as the annotation `hint` wants it; a scalar becomes a list of one.

    Raises:
        ConfigError: the value has another type.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin is Literal:
        if value not in inner or isinstance(value, bool):
            raise ConfigError(f"{where}: {value!r} is no choice. {suggest(str(value), map(str, inner))}")
        return value
    if origin in (list, tuple):
        items = value if isinstance(value, list | tuple) else [value]
        converted = [convert(item, inner[0] if inner else Any, f"{where}[{i}]") for i, item in enumerate(items)]
        return converted if origin is list else tuple(converted)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected a mapping, got {value!r} ({type(value).__name__})")
        return {str(key): convert(item, inner[1], f"{where}.{key}") for key, item in value.items()}
    if origin in (typing.Union, types.UnionType):
        for option in inner:
            try:
                return convert(value, option, where)
            except ConfigError:
                continue
    number = isinstance(value, int | float) and not isinstance(value, bool)
    finite = number and abs(value) <= sys.float_info.max
    fits = {
        bool: isinstance(value, bool),
        int: finite and value == int(value),
        float: finite,
        str: isinstance(value, str | int | float) and not isinstance(value, bool),
    }
    if not fits.get(hint, False):
        wanted = KINDS.get(hint, str(hint))
        raise ConfigError(f"{where}: expected {wanted}, got {value!r} ({type(value).__name__})")
    return hint(value)


def default_root(variable: str, folder: str) -> str:
    """A folder in the user's cache, unless the environment variable names another (see `advlab describe run`)."""
    import os

    base = os.environ.get("XDG_CACHE_HOME", "") or "~/.cache"
    return os.environ.get(variable, "") or f"{base}/advlab/{folder}"


@dataclass(frozen=True, kw_only=True)
class RunParams:
    """How a run is carried out; nothing here changes what an experiment measures, but seed, preset and precision."""

    seed: int = 0  # of the sample choice, of the noise and of training
    preset: Literal["tiny", "laptop", "paper"] = "paper"  # scales sample counts; paper: the paper's
    dry: bool = False  # print the plan and write nothing
    resume: bool = False  # go on with the newest unfinished version of this configuration
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    precision: Literal["float32", "tf32", "bf16"] = "float32"
    batch_size: int = 0  # images a forward; 0: measured once per model and device
    download: bool = True  # fetch missing datasets and weights
    accuracy_images: int = 10_000  # at most so many images measure the clean accuracy
    max_nonfinite: float = 0.01  # share of NaN or infinite scores above which a run is an error
    escape_csv: bool = False  # put ' before text that a spreadsheet would take for a formula
    data_root: str = field(default_factory=lambda: default_root("ADVLAB_DATA", "data"))
    cache_root: str = field(default_factory=lambda: default_root("ADVLAB_CACHE", "artifacts"))
    output_root: str = "./outputs"

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            ValueError: names the field and the range.
        """
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed must be between 0 and 2^63 - 1, got {self.seed}")
        if self.batch_size < 0:
            raise ValueError(f"batch_size must be 0 (measured) or more, got {self.batch_size}")
        if self.accuracy_images < 1:
            raise ValueError(f"accuracy_images must be at least 1, got {self.accuracy_images}")
        if not 0 <= self.max_nonfinite <= 1:
            raise ValueError(f"max_nonfinite is a share between 0 and 1, got {self.max_nonfinite}")
        if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,3})?", self.device):
            raise ValueError(f"device must be auto, cpu, cuda, cuda:N or mps, got {self.device!r}")
        for name in ("data_root", "cache_root", "output_root"):
            if not getattr(self, name):
                raise ValueError(f"{name} must name a folder, got an empty text")

    def path(self, name: str) -> Path:
        """One of the `*_root` folders, with ~ expanded.

        Raises:
            ConfigError: it begins with ~, and the user has no home.
        """
        try:
            return Path(getattr(self, name)).expanduser()
        except RuntimeError as error:
            raise ConfigError(f"run.{name}: {error} Set HOME, or type run.{name}=/a/folder") from error


@dataclass(frozen=True)
class Settings:
    """One run's checked configuration: the components as objects and as the plain mapping that is archived."""

    dataset: Any
    recipe: Any
    model: Any
    attack: Any
    probe: Any
    experiment: Any
    run: RunParams
    nodes: dict[str, dict[str, Any]]
    choices: dict[str, str] = field(default_factory=dict)

    def typed(self, group: str) -> str:
        """What a user types for a group: `hc` of `attack=hc`, which makes a `hot_cold`; its name where that is unknown."""
        return self.choices.get(group, str(self.nodes[group]["name"]))

    @property
    def digest(self) -> str:
        """Digest of what determines the results: every group, and of `run` the seed, preset and precision."""
        run = {key: self.nodes["run"][key] for key in ("seed", "preset", "precision", "accuracy_images")}
        return sha256(canonical({**self.nodes, "run": run}))


def resolve(
    config: Mapping[str, Any], explicit: frozenset[str] = frozenset(), choices: Mapping[str, str] | None = None
) -> Settings:
    """Check a composed configuration and build its components.

    Args:
        config: one mapping per group, each with a `name` (but `run`).
        explicit: the dotted keys and group names that the user set; presets leave those alone.
        choices: group -> the YAML file or component that was chosen, for messages; nothing is archived of it.

    Raises:
        ConfigError: anything unknown, missing, of a wrong type or out of range.
    """
    for key in config:
        if key not in GROUPS:
            raise ConfigError(f"{key}: there is no such key. {suggest(str(key), GROUPS)}")
    nodes = {}
    for group in GROUPS:
        node = config.get(group, {} if group == "run" else {"name": "none"})
        if not isinstance(node, Mapping):
            raise ConfigError(f"{group}: expected one of the group's choices, got {node!r}. Type {group}=NAME")
        nodes[group] = dict(node)
        if group != "run" and "name" not in node:
            raise ConfigError(f"{group}.name: a name is needed: type {group}=NAME")
    run: RunParams = construct(RunParams, nodes["run"], "run")
    name = str(nodes["experiment"]["name"])
    experiment_class = components.EXPERIMENTS.load(name)
    for group in ("dataset", "recipe", "model", "attack", "probe"):
        if group in experiment_class.uses or (group == "recipe" and "model" in experiment_class.uses):
            if group in ("dataset", "model") and nodes[group]["name"] == "none":
                raise ConfigError(f"{group}=none: the experiment {name} needs a {group}: type {group}=NAME")
            continue
        if group in explicit and nodes[group]["name"] != "none":
            raise ConfigError(f"{group}={nodes[group]['name']}: the experiment {name} uses no {group}: leave it out")
        keys = sorted(key for key in explicit if key.startswith(f"{group}.") and key != f"{group}.name")
        if keys:
            raise ConfigError(f"{keys[0]}: the experiment {name} uses no {group}: leave it out")
        nodes[group] = {"name": "none"}
    built: dict[str, Any] = {}
    for group, registry in components.FAMILIES.items():
        if group == "recipe":  # dataset and model stand: the preset may look at them before the rest is built
            for key, value in experiment_class.presets(run.preset, built["dataset"], built["model"]).items():
                target, _, option = key.partition(".")
                if key not in explicit and nodes[target].get("name") != "none":
                    nodes[target][option] = value
        component = registry.load(component_name(group, nodes[group]))
        options = {
            key: value for key, value in nodes[group].items() if key != "name" or "name" in parameters(component)
        }
        if group == "experiment":
            built[group] = component(construct(component.Params, options, group))
            options = plain(built[group].params)
        else:
            built[group] = construct(component, options, group)
            options = plain(built[group]) or options
        nodes[group] = {"name": str(nodes[group]["name"]), **options}
    nodes["run"] = plain(run)
    named = {group: name for group, name in (choices or {}).items() if f"{group}.name" not in explicit}
    settings = Settings(**built, run=run, nodes=nodes, choices=named)
    settings.experiment.check(settings)
    return settings


def component_name(group: str, node: Mapping[str, Any]) -> str:
    """The registered name of a node: its `name`, but every recipe, whatever it is called, is a `recipe`."""
    return "recipe" if group == "recipe" and node["name"] != "none" else str(node["name"])


def plain(component: Any) -> dict[str, Any]:
    """A component's parameters as a plain mapping, defaults included; empty for what is no dataclass."""
    if hasattr(component, "plain"):  # a plug-in's, whose factory is code and not archived
        return dict(component.plain())
    if not dataclasses.is_dataclass(component) or isinstance(component, type):
        return {}
    return {f.name: getattr(component, f.name) for f in dataclasses.fields(component) if f.init}
