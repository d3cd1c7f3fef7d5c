"""The decorator `advlab.defense`: a user's function becomes a choice of `defense=`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from advlab.config import components
from advlab.config.schema import describe_factory, keyword_parameters
from advlab.defenses.plugin import PluginDefense
from advlab.errors import ConfigError
from advlab.plugins.names import Registered, check_name, registered_choices
from advlab.store.sealed import sha256


def defense(
    name: str,
    *,
    differentiable: bool = True,
    random: bool = False,
    rejects: bool = False,
    fit: Callable[[Any, Any], dict[str, Any]] | None = None,
    version: int = 1,
) -> Callable[[Registered], Registered]:
    """Decorator: register a function as a defense.

    Args:
        name: as on the command line.
        differentiable: whether the function's own gradient is meant; otherwise attacks take the identity's (BPDA).
        random: whether it draws; attacks then average over draws (EOT).
        rejects: whether it gives logits with one more column, the last, which says that an image is rejected.
        fit: (images, classifier) to a dict of tensors: what the function takes from the training images (`ImageData`) and the
            undefended network (images to logits). It is kept, for the code in its file, and handed over as `fitted`.
        version: raise it when the code gives other images for the same parameters: runs that were begun before it are not
            gone on with.

    The function takes images (N, C, H, W) in pixel units and returns images of the same shape. One that is `random` takes
    a `Draw` as well, (images, draw): all its random numbers must come from that (`draw.normal(images.shape[1:])`,
    `draw.uniform()`, `draw.integers(4)`), and the key `defense.seed` sets their seed. One that `rejects` takes the network
    behind it first, (network, images), and returns logits (N, classes + 1). Any may take `bounds` (lowest and highest pixel
    value), and with `fit` it takes the keyword `fitted`. Other parameters become keys: `defense.strength=2`.

    Raises:
        ConfigError: the name is taken or cannot be typed, or the function does not take these.
    """

    def decorate(function: Registered) -> Registered:
        check_name("defense", name, function)
        if rejects and not differentiable:
            raise ConfigError(
                f"the defense {name} gives logits, which have no identity to take a gradient from: it must be differentiable"
            )
        first = [*(["network"] if rejects else []), "images", *(["draw"] if random else [])]
        keys, takes_bounds = split_parameters(name, function, first)
        if fit is not None:
            if not any(p.name == "fitted" for p in keys):
                raise ConfigError(
                    f"the defense {name} has fit=..., so that its function must have a parameter `fitted`"
                )
            keys = [p for p in keys if p.name != "fitted"]
        doc = function.__doc__ or f"{name}: a plug-in defense."
        traits: dict[str, Any] = {
            "function": staticmethod(function),
            "name": name,
            "takes_bounds": takes_bounds,
            "fit_function": None if fit is None else staticmethod(fit),
            "fit_digest": "" if fit is None else code_digest(fit),
            "differentiable": differentiable,
            "random": random,
            "rejects": rejects,
            "version": version,
            "__doc__": doc,
        }

        def make(**options: Any) -> Any:
            cls = type(name, (PluginDefense,), traits)
            seed = options.pop("seed", 0) if random else 0
            return cls(seed=seed, options={p.name: p.default for p in keys if p.default is not p.empty} | options)

        parameters = list(keys)
        if random:
            parameters.append(inspect.Parameter("seed", inspect.Parameter.KEYWORD_ONLY, default=0, annotation=int))
        describe_factory(make, parameters, doc, version)
        components.REGISTRIES["defense"].add(name, make)
        registered_choices["defense", name] = ({"name": name}, "defense")
        return function

    return decorate


def code_digest(function: Callable[..., Any]) -> str:
    """SHA-256 of the file in which a function stands, or of its bytecode where there is none."""
    try:
        content = Path(inspect.getsourcefile(function) or "").read_bytes()
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        content = code.co_code + repr(code.co_consts).encode() if code else repr(function).encode()
    return sha256(content)


def split_parameters(name: str, function: Callable[..., Any], first: list[str]) -> tuple[list[inspect.Parameter], bool]:
    """The parameters of a defense's function that become keys, and whether it takes `bounds`.

    Raises:
        ConfigError: it does not take what comes first, by position.
    """
    every = inspect.signature(function).parameters
    positional = [p for p in every.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    given = [p.name for p in positional[: len(first)]]
    if len(given) < len(first) or "bounds" in given:
        raise ConfigError(f"the defense {name} must take ({', '.join(first)}) first: see advlab.defense")
    taken = ("name", "seed") if "draw" in first else ("name",)
    own = [p for p in keyword_parameters("defense", name, function, taken) if p.name not in given]
    return [p for p in own if p.name != "bounds"], "bounds" in every
