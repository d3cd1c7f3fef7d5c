"""The choices of each group of the configuration: packaged YAML files and what plug-ins have registered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from advlab.config import components
from advlab.config.folder import config_folder


def group_choices(group: str) -> list[str]:
    """The choices of a Hydra group: YAML files and plug-ins."""
    from hydra.core.config_store import ConfigStore

    folder = Path(config_folder()) / group
    names = {path.stem for path in folder.glob("*.yaml")}
    stored = ConfigStore.instance().repo.get(group, {})
    names |= {str(key).removesuffix(".yaml") for key in stored}
    return sorted(names)


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
