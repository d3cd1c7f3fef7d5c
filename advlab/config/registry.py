"""Names for components: each name points lazily at a `module:attribute`, so that listing imports nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from advlab.errors import ConfigError, suggest

T = TypeVar("T")


class Registry(Generic[T]):
    """A family of components: name -> `module:attribute` (or the object itself, for plug-ins)."""

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

    def register(self, name: str) -> Callable[[Any], Any]:
        """Decorator form of `add`, for plug-ins."""

        def decorate(target: Any) -> Any:
            self.add(name, target)
            return target

        return decorate

    def load(self, name: str) -> T:
        """The component called `name`, imported now.

        Raises:
            ConfigError: no such name; the message offers near ones.
        """
        if name not in self._targets:
            raise ConfigError(f"there is no {self.kind} {name!r}. {suggest(name, self._targets)}")
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
