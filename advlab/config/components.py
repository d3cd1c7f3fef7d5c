"""Every component that a configuration can name, by group; found from `configs/`, and none is imported before it is used.

A YAML file of a group says `name: hot_cold`. That name is the class `HotCold`, whatever the case, in one of the files of the
group (`SOURCES`). So a new experiment, attack, network or dataset is its own files and a YAML file: no list names it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from advlab.config.folder import config_folder, package_folder
from advlab.config.registry import Registry
from advlab.errors import ConfigError, ResultError


@dataclass(frozen=True, kw_only=True)
class NoComponent:
    """The choice `none` of every group."""


DATASETS: Registry[Any] = Registry("dataset")
MODELS: Registry[Any] = Registry("model")
RECIPES: Registry[Any] = Registry("recipe")
ATTACKS: Registry[Any] = Registry("attack")
PROBES: Registry[Any] = Registry("probe")
EXPERIMENTS: Registry[Any] = Registry("experiment")

#: group -> its components, in the order in which settings build them
REGISTRIES: dict[str, Registry[Any]] = {
    "dataset": DATASETS,
    "model": MODELS,
    "recipe": RECIPES,
    "attack": ATTACKS,
    "probe": PROBES,
    "experiment": EXPERIMENTS,
}

#: group -> package, and which of its files declare the group's classes; none of them needs torch to be imported
SOURCES = {
    "dataset": ("advlab.data", "*.py"),
    "model": ("advlab.models", "builtin.py"),
    "attack": ("advlab.attacks", "**/params.py"),
    "probe": ("advlab.probes", "*.py"),
    "experiment": ("advlab.experiments", "*/*.py"),
}


def declared_classes(group: str) -> dict[str, str]:
    """Class names of a group in lower case -> `module:class`, read from the text of its files without importing them.

    Raises:
        ConfigError: two classes of the group have names that differ in case alone.
    """
    package, pattern = SOURCES[group]
    folder = package_folder(package)
    targets: dict[str, str] = {}
    for path in sorted(folder.glob(pattern)):
        module = ".".join([package, *path.relative_to(folder).with_suffix("").parts])
        for class_name in re.findall(r"^class (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            name, target = class_name.lower(), f"{module}:{class_name}"
            if name in targets:
                raise ConfigError(
                    f"two classes of the group {group} are called {name!r}: {targets[name]} and {target}: rename one"
                )
            targets[name] = target
    return targets


def names_in_yaml(group: str) -> Iterator[str]:
    """The component that each YAML file of a group names, at its top or below the group's key."""
    for path in sorted(config_folder().joinpath(group).glob("*.yaml")):
        name = re.search(r"^\s*name:\s*(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        if name and name[1] != "none":
            yield name[1]


def register_packaged_components() -> None:
    """Fill the registries with what the packaged YAML files name; a name without a class is refused when it is chosen."""
    for group in SOURCES:
        targets = declared_classes(group)
        for name in names_in_yaml(group):
            if target := targets.get(name.replace("_", "").lower()):
                REGISTRIES[group].add(name, target)
        if group != "experiment":
            REGISTRIES[group].add("none", f"{__name__}:NoComponent")
    RECIPES.add("recipe", "advlab.training.recipe:Recipe")  # of every recipe, whatever its YAML file is called
    RECIPES.add("none", f"{__name__}:NoComponent")


with contextlib.suppress(ResultError):  # a package of YAML files that is missing is told where one of them is needed
    register_packaged_components()
