"""Names for components: each stands for a `module:attribute` that is imported when it is used; listing imports nothing."""

from __future__ import annotations

import importlib
from typing import Generic, TypeVar

from advlab.errors import ConfigError, suggest_choice

T = TypeVar("T")


class Registry(Generic[T]):
    """The components of one group: name -> `module:attribute`, or the object itself for plug-ins.

    Args:
        kind: what the components are called in messages, such as attack.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._targets: dict[str, str | T] = {}

    def add(self, name: str, target: str | T) -> None:
        """Register `target` under `name`.

        Raises:
            ConfigError: the name is taken by another target.
        """
        if name in self._targets and self._targets[name] != target:
            raise ConfigError(f"the {self.kind} name {name!r} is taken already: register under another name")
        self._targets[name] = target

    def forget(self, name: str) -> None:
        """Take a component of this session out, so that another may have its name; one that is a file of its own stays."""
        if not isinstance(self._targets.get(name), str):
            self._targets.pop(name, None)

    def load(self, name: str) -> T:
        """The component called `name`, imported now.

        Raises:
            ConfigError: no such name; the message offers near ones.
        """
        if name not in self._targets:
            raise ConfigError(f"there is no {self.kind} {name!r}. {suggest_choice(self.kind, name, self._targets)}")
        target = self._targets[name]
        if not isinstance(target, str):
            return target
        module, _, attribute = target.partition(":")
        loaded: T = getattr(importlib.import_module(module), attribute)
        return loaded

    def names(self) -> list[str]:
        """All registered names, sorted."""
        return sorted(self._targets)

    def __contains__(self, name: object) -> bool:
        return name in self._targets
