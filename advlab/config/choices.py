"""The choices of each group of the configuration: packaged YAML files and what plug-ins have registered."""

from __future__ import annotations

from typing import Any

import yaml
from hydra.core.config_store import ConfigStore

from advlab.config import components
from advlab.config.folder import config_folder


def group_choices(group: str) -> list[str]:
    """The choices of a group, such as the names that may stand behind `model=`: YAML files and plug-ins."""
    names = {path.stem for path in (config_folder() / group).glob("*.yaml")}
    names |= {str(key).removesuffix(".yaml") for key in ConfigStore.instance().repo.get(group, {})}
    return sorted(names)


def registered_name(group: str, choice: str) -> str:
    """The component that a choice makes: `hot_cold` for `attack=hc`, whose YAML file is a variant of it."""
    if choice in components.REGISTRIES[group]:
        return choice
    node = read_choice(group, choice)
    return str(node.get("name", choice))


def read_choice(group: str, choice: str) -> dict[str, Any]:
    """The mapping that a packaged YAML file gives its group; empty where there is no such file."""
    content = yaml_content(group, choice)
    node = content.get(group)
    node = node if isinstance(node, dict) else content  # `library` has a key `attack` of its own
    return node if isinstance(node, dict) else {}


def default_choice(group: str, choice: str, other: str) -> str:
    """What a packaged YAML file chooses in another group, such as an experiment its probe; empty where it does not."""
    for entry in yaml_content(group, choice).get("defaults", []):
        if isinstance(entry, dict):
            for key, value in entry.items():
                if key.removeprefix("override ").strip() == f"/{other}" and value != "none":
                    return str(value)
    return ""


def yaml_content(group: str, choice: str) -> Any:
    """The whole content of a packaged YAML file; an empty mapping where there is none."""
    path = config_folder() / group / f"{choice}.yaml"
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}
