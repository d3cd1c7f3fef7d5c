"""The decorator `advlab.attack`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

from advlab.config import components
from advlab.config.schema import keyword_parameters
from advlab.errors import ConfigError
from advlab.plugins.names import C, check_name, registered_choices


def attack(name: str, *, norm: Literal["l2", "linf"] = "l2", minimal: bool = False) -> Callable[[C], C]:
    """Decorator: register a function as an attack.

    Args:
        name: as on the command line.
        norm: in which the length of its perturbations is given.
        minimal: whether it looks for the smallest perturbation; otherwise its length is given.

    The function takes (model, images, labels), (N, C, H, W) in pixel units and (N,), and returns images of the same
    shape; what leaves the pixel bounds is clipped, and every image is classified again. It may take `bounds` (lowest and
    highest pixel value) and `targets` ((N,) classes to reach; None, if that is its default, for any other class). Its
    other parameters become keys: `attack.steps=20`.

    Raises:
        ConfigError: the name is taken or cannot be typed, or the function does not take the three.
    """

    def decorate(function: C) -> C:
        check_name("attack", name)
        if norm not in ("l2", "linf"):
            raise ConfigError(f"the attack {name} has norm={norm!r}: it must be l2 or linf")
        every = inspect.signature(function).parameters
        positional = [p for p in every.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        if len(positional) < 3 or {p.name for p in positional[:3]} & {"targets", "bounds"}:
            raise ConfigError(f"the attack {name} must take (model, images, labels) first: see advlab.attack")
        first = [p.name for p in positional[:3]]
        own = [p for p in keyword_parameters("attack", name, function, ("name",)) if p.name not in first]
        passes = frozenset(p.name for p in own) & {"targets", "bounds"}
        own = [p for p in own if p.name not in passes]
        optional = "targets" in passes and every["targets"].default is None
        traits: dict[str, Any] = {
            "function": staticmethod(function),
            "passes": passes,
            "norm": norm,
            "minimal": minimal,
            "targeted": "never" if "targets" not in passes else "optional" if optional else "always",
            "__doc__": function.__doc__ or f"{name}: a plug-in attack.",
        }

        def make(**options: Any) -> Any:
            from advlab.attacks import PluginAttack

            cls = type(name, (PluginAttack,), traits)
            return cls(options={p.name: p.default for p in own if p.default is not p.empty} | options)

        make.__signature__ = inspect.Signature(own)  # type: ignore[attr-defined]  # inspect reads it
        make.__annotations__ = {p.name: p.annotation for p in own}
        make.__doc__ = traits["__doc__"]
        components.ATTACKS.add(name, make)
        registered_choices["attack", name] = ({"name": name}, "attack")
        return function

    return decorate
