"""Every component that a configuration can name, by group; found from `configs/`, and none is imported before it is used.

A YAML file of a group says `name: hot_cold`. That name is the class `HotCold`, whatever the case, in one of the files of the
group (`FILES`). So a new experiment, attack, network or dataset is its own files and a YAML file: no list names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advlab.config.folder import config_folder, package_folder
from advlab.config.registry import Registry


@dataclass(frozen=True, kw_only=True)
class NoComponent:
    """The choice `none` of every group."""


DATASETS: Registry[Any] = Registry("dataset")
MODELS: Registry[Any] = Registry("model")
RECIPES: Registry[Any] = Registry("recipe")
ATTACKS: Registry[Any] = Registry("attack")
PROBES: Registry[Any] = Registry("probe")
EXPERIMENTS: Registry[Any] = Registry("experiment")

FAMILIES: dict[str, Registry[Any]] = {
    "dataset": DATASETS,
    "model": MODELS,
    "recipe": RECIPES,
    "attack": ATTACKS,
    "probe": PROBES,
    "experiment": EXPERIMENTS,
}

#: group -> package, and which of its files declare the group's classes; none of them needs torch to be imported
FILES = {
    "dataset": ("advlab.data", "*.py"),
    "model": ("advlab.models", "builtin.py"),
    "attack": ("advlab.attacks", "**/params.py"),
    "probe": ("advlab.probes", "*.py"),
    "experiment": ("advlab.experiments", "*/*.py"),
}


def classes(group: str) -> dict[str, str]:
    """Class names of a group, in lower case -> `module:class`, read from the text of its files."""
    package, pattern = FILES[group]
    folder = package_folder(package)
    found = {}
    for path in sorted(folder.glob(pattern)):
        module = ".".join([package, *path.relative_to(folder).with_suffix("").parts])
        for name in re.findall(r"^class (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            found[name.lower()] = f"{module}:{name}"
    return found


def component_names(group: str) -> Iterator[str]:
    """The component that each YAML file of a group names."""
    for path in sorted((Path(config_folder()) / group).glob("*.yaml")):
        name = re.search(r"^\s*name:\s*(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        if name and name[1] != "none":
            yield name[1]


def register_packaged() -> None:
    """Fill the registries with what the packaged YAML files name."""
    for group in FILES:
        known = classes(group)
        for name in component_names(group):
            if target := known.get(name.replace("_", "").lower()):
                FAMILIES[group].add(name, target)
        if group != "experiment":
            FAMILIES[group].add("none", f"{__name__}:NoComponent")
    RECIPES.add("recipe", "advlab.training.recipe:Recipe")  # whatever a recipe is called
    RECIPES.add("none", f"{__name__}:NoComponent")


register_packaged()
