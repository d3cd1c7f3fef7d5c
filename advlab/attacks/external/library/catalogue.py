"""The attacks that foolbox, torchattacks and ART have, by name, and which options each of them takes."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from advlab.attacks.external.library.params import Library
from advlab.errors import ArgumentError, suggest


@dataclass(frozen=True)
class LibraryLocation:
    """Where a library keeps its attacks.

    Attributes:
        distribution: its name for pip.
        attacks: the module in whose names its attacks stand.
        base_module, base: the module and the name of the class that all of them derive from.
    """

    distribution: str
    attacks: str
    base_module: str
    base: str


LIBRARIES = {
    "foolbox": LibraryLocation("foolbox", "foolbox.attacks", "foolbox.attacks.base", "Attack"),
    "torchattacks": LibraryLocation("torchattacks", "torchattacks", "torchattacks.attack", "Attack"),
    "art": LibraryLocation(
        "adversarial-robustness-toolbox", "art.attacks.evasion", "art.attacks.attack", "EvasionAttack"
    ),
}


def attack_class(params: Library) -> type:
    """The class of the attack that `params` names.

    Raises:
        ArgumentError: the library is missing, or it has no such attack, or the attack no such option.
    """
    attacks = attacks_of(params.library)
    if params.attack not in attacks:
        raise ArgumentError(f"{params.library} has no attack {params.attack!r}. {suggest(params.attack, attacks)}")
    cls = attacks[params.attack]
    check_options(params, cls)
    return cls


def attacks_of(library: str) -> dict[str, type]:
    """Names and classes of a library's attacks.

    Raises:
        ArgumentError: the library is missing.
    """
    location = LIBRARIES[library]
    try:
        with silenced():
            module = importlib.import_module(location.attacks)
            base = getattr(importlib.import_module(location.base_module), location.base)
    except ImportError as error:
        raise ArgumentError(f'{library} does not import ({error}): pip install "advlab[peers]"') from error
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, base) and value is not base and not inspect.isabstract(value)
    }


def check_options(params: Library, cls: type) -> None:
    """Refuse options that the attack's constructor does not take, and those that follow from the call.

    Raises:
        ArgumentError: names the option, and one that is spelt alike.
    """
    parameters = inspect.signature(cls).parameters
    parameter_names = [name for name, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if params.library != "foolbox":
        parameter_names = parameter_names[1:]  # the model comes first
    follow_from_the_call = {"targeted"} if params.library == "art" else set()
    options = sorted(set(parameter_names) - follow_from_the_call)
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in params.options:
        if name in follow_from_the_call:
            raise ArgumentError(
                f"{params.library}'s {params.attack}: give targets to the attack instead of the option {name}"
            )
        if name not in options and not takes_any:
            raise ArgumentError(f"{params.library}'s {params.attack} has no option {name!r}. {suggest(name, options)}")
    if params.epsilon and params.library != "foolbox":
        raise ArgumentError(
            f"epsilon is for foolbox; {params.library}'s {params.attack} has options. {suggest('eps', options)}"
        )


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """No prints, warnings and log lines of the library."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
