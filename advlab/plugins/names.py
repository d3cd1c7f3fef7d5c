"""The names under which plug-ins register, and the choices that they become."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from advlab.config import components
from advlab.config.folder import config_folder
from advlab.errors import ConfigError

Registered = TypeVar("Registered", bound=Callable[..., Any])  # what a decorator is put on, and gives back

#: (group, name) -> what the choice's YAML file would hold, and Hydra's package of it: filled as plug-ins are imported
registered_choices: dict[tuple[str, str], tuple[dict[str, Any], str]] = {}


def check_name(kind: str, name: str, registered: object = None) -> None:
    """Refuse what could not be typed as `KIND=NAME`, and what a packaged YAML file would hide.

    What a notebook or a script registers takes the place of what it has registered before: a cell may be run again.

    Args:
        kind: the group.
        name: as it will be typed.
        registered: what the decorator stands before.

    Raises:
        ConfigError: the name is not usable.
    """
    if getattr(registered, "__module__", "") == "__main__":
        components.REGISTRIES[kind].forget(name)
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", name) or name in ("none", "null"):
        raise ConfigError(
            f"the {kind} name {name!r} cannot be typed: use letters, digits, _ and -, and not none or null"
        )
    if (config_folder() / kind / f"{name}.yaml").is_file():
        raise ConfigError(f"the {kind} name {name!r} is taken already: register under another name")
