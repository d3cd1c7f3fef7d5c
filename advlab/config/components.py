"""Every component that a configuration can name, by group; found from `configs/`, and none is imported before it is used.

A YAML file of a group says `name: hot_cold`. That name is the class `HotCold`, whatever the case, in one of the files of the
group (`Group.files`). So a new experiment, attack, network or dataset is its own files and a YAML file: no list names it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from advlab.config.folder import config_folder, package_folder
from advlab.config.groups import COMPONENT_GROUPS
from advlab.config.registry import Registry
from advlab.errors import ConfigError, ResultError


@dataclass(frozen=True, kw_only=True)
class NoComponent:
    """The choice `none` of every group."""


#: group -> its components, in the order in which settings build them
REGISTRIES: dict[str, Registry[Any]] = {group.name: Registry(group.name) for group in COMPONENT_GROUPS}


def declared_classes(group: str) -> dict[str, str]:
    """Class names of a group in lower case -> `module:class`, read from the text of its files without importing them.

    Raises:
        ConfigError: two classes of the group have names that differ in case alone.
    """
    declared = next(declared for declared in COMPONENT_GROUPS if declared.name == group)
    folder = package_folder(declared.package)
    targets: dict[str, str] = {}
    for path in sorted(path for pattern in declared.files.split() for path in folder.glob(pattern)):
        module = ".".join([declared.package, *path.relative_to(folder).with_suffix("").parts])
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
    for group in COMPONENT_GROUPS:
        targets = declared_classes(group.name) if group.package else {}
        for name in names_in_yaml(group.name):
            if target := targets.get(name.replace("_", "").lower()):
                REGISTRIES[group.name].add(name, target)
        if group.name != "experiment":
            REGISTRIES[group.name].add("none", f"{__name__}:NoComponent")
    REGISTRIES["recipe"].add("recipe", "advlab.training.recipe:Recipe")  # of each, whatever its YAML file is called
    REGISTRIES["defense"].add("chain", "advlab.defenses.chain:Chain")  # of defense=[blur,noise]


with contextlib.suppress(ResultError):  # a package of YAML files that is missing is told where one of them is needed
    register_packaged_components()
