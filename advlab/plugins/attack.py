"""The decorator `advlab.attack`: a user's function becomes a choice of `attack=`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

from advlab.attacks.external.plugin.params import PluginAttack
from advlab.config import components
from advlab.config.schema import describe_factory, keyword_parameters
from advlab.errors import ConfigError
from advlab.plugins.names import Registered, check_name, registered_choices


def attack(
    name: str, *, norm: Literal["l2", "linf"] = "l2", minimal: bool = False, version: int = 1
) -> Callable[[Registered], Registered]:
    """Decorator: register a function as an attack.

    Args:
        name: as on the command line.
        norm: in which the length of its perturbations is given.
        minimal: whether it looks for the smallest perturbation; otherwise its length is given.
        version: raise it when the code gives other images for the same parameters: runs that were begun before it are not
            gone on with.

    The function takes (model, images, labels), (N, C, H, W) in pixel units and (N,), and returns images of the same
    shape; what leaves the pixel bounds is clipped, and every image is classified again. It may take `bounds` (lowest and
    highest pixel value) and `targets` ((N,) classes to reach; None, if that is its default, for any other class). Its
    other parameters become keys: `attack.steps=20`. Behind a defense that rejects it is called with one image at a time; the
    model then gives its label's logit, or the reject output's where that is larger.

    Raises:
        ConfigError: the name is taken or cannot be typed, or the function does not take the three.
    """

    def decorate(function: Registered) -> Registered:
        check_name("attack", name, function)
        if norm not in ("l2", "linf"):
            raise ConfigError(f"the attack {name} has norm={norm!r}: it must be l2 or linf")
        keys, passed = split_parameters(name, function)
        doc = function.__doc__ or f"{name}: a plug-in attack."
        traits: dict[str, Any] = {
            "function": staticmethod(function),
            "passes": frozenset(passed),
            "norm": norm,
            "minimal": minimal,
            "targeted": targeting(passed),
            "version": version,
            "__doc__": doc,
        }

        def make(**options: Any) -> Any:
            cls = type(name, (PluginAttack,), traits)
            return cls(options={p.name: p.default for p in keys if p.default is not p.empty} | options)

        describe_factory(make, keys, doc, version)
        components.REGISTRIES["attack"].add(name, make)
        registered_choices["attack", name] = ({"name": name}, "attack")
        return function

    return decorate


def split_parameters(
    name: str, function: Callable[..., Any]
) -> tuple[list[inspect.Parameter], dict[str, inspect.Parameter]]:
    """The parameters of an attack's function that become keys, and those of `bounds` and `targets` that it takes.

    Raises:
        ConfigError: its first three are not the model, the images and the labels.
    """
    every = inspect.signature(function).parameters
    positional = [p for p in every.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) < 3 or {p.name for p in positional[:3]} & {"targets", "bounds"}:
        raise ConfigError(f"the attack {name} must take (model, images, labels) first: see advlab.attack")
    first = [p.name for p in positional[:3]]
    others = [p for p in keyword_parameters("attack", name, function, ("name",)) if p.name not in first]
    passed = {p.name: every[p.name] for p in others if p.name in ("targets", "bounds")}
    return [p for p in others if p.name not in passed], passed


def targeting(passed: dict[str, inspect.Parameter]) -> Literal["never", "optional", "always"]:
    """Whether an attack takes classes to reach: it does if its function has `targets`, and must without the default None."""
    if "targets" not in passed:
        return "never"
    return "optional" if passed["targets"].default is None else "always"
