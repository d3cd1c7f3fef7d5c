"""The attacks that foolbox, torchattacks, ART and adv-lib have, by name, and which options each of them takes."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import io
import logging
import sys
import types
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from advlab.attacks.external.library.params import Library
from advlab.errors import ArgumentError, suggest


@dataclass(frozen=True)
class LibraryLocation:
    """Where a library keeps its attacks.

    Attributes:
        distribution: its name for pip.
        install: how it is installed.
        attacks: the module in whose names its attacks stand.
        base_module, base: the module and the name of the class that all of them derive from; empty: they are functions.
        before_options: how many arguments come before the options.
        follow_from_the_call: arguments that are no options.
    """

    distribution: str
    install: str
    attacks: str
    base_module: str
    base: str
    before_options: int = 1
    follow_from_the_call: tuple[str, ...] = ()


PEERS = 'pip install "advlab[peers]"'
LIBRARIES = {
    "foolbox": LibraryLocation("foolbox", PEERS, "foolbox.attacks", "foolbox.attacks.base", "Attack", 0),
    "torchattacks": LibraryLocation("torchattacks", PEERS, "torchattacks", "torchattacks.attack", "Attack"),
    "art": LibraryLocation(
        "adversarial-robustness-toolbox", PEERS, "art.attacks.evasion", "art.attacks.attack", "EvasionAttack",
        follow_from_the_call=("targeted",),
    ),
    "adv_lib": LibraryLocation(
        "adv-lib", "pip install --no-deps adv-lib", "adv_lib.attacks", "", "", 3, ("targeted", "callback")
    ),
}  # fmt: skip


def attack_called(params: Library) -> Callable[..., Any]:
    """The class of the attack that `params` names, or adv-lib's function.

    Raises:
        ArgumentError: the library is missing, or it has no such attack, or the attack no such option.
    """
    attacks = attacks_of(params.library)
    if params.attack not in attacks:
        raise ArgumentError(f"{params.library} has no attack {params.attack!r}. {suggest(params.attack, attacks)}")
    check_options(params, attacks[params.attack])
    return attacks[params.attack]


def attacks_of(library: str) -> dict[str, Callable[..., Any]]:
    """Names of a library's attacks, with their classes or functions.

    Raises:
        ArgumentError: the library is missing.
    """
    location = LIBRARIES[library]
    try:
        with silenced(), without_visdom():
            module = importlib.import_module(location.attacks)
            base = getattr(importlib.import_module(location.base_module), location.base) if location.base else None
    except ImportError as error:
        raise ArgumentError(f"{library} does not import ({error}): {location.install}") from error
    if base is None:
        return {name: value for name, value in vars(module).items() if inspect.isfunction(value)}
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, base) and value is not base and not inspect.isabstract(value)
    }


@contextlib.contextmanager
def without_visdom() -> Iterator[None]:
    """Let adv-lib be imported where visdom is missing, which it needs for nothing but loggers that are not used here."""
    missing = importlib.util.find_spec("visdom") is None if "visdom" not in sys.modules else False
    if missing:
        sys.modules["visdom"] = types.ModuleType("visdom")
    try:
        yield
    finally:
        if missing:
            sys.modules.pop("visdom")


def check_options(params: Library, attack: Callable[..., Any]) -> None:
    """Refuse options that the attack does not take, those that follow from the call, and missing ones that it needs.

    Raises:
        ArgumentError: names the option, and one that is spelt alike.
    """
    attack_name, taken = f"{params.library}'s {params.attack}", option_names(params.library, attack)
    follow_from_the_call = LIBRARIES[params.library].follow_from_the_call
    takes_any = any(p.kind is p.VAR_KEYWORD for p in inspect.signature(attack).parameters.values())
    for name in params.options:
        if name in follow_from_the_call:
            raise ArgumentError(f"{attack_name}: give targets to the attack instead of the option {name}")
        if name not in taken and name not in taken.values() and not takes_any:
            raise ArgumentError(f"{attack_name} has no option {name!r}. {suggest(name, sorted(taken))}")
    if params.epsilon and params.library != "foolbox":
        raise ArgumentError(f"epsilon is for foolbox; {attack_name} has options. {suggest('eps', sorted(taken))}")
    parameters = inspect.signature(attack).parameters
    for name, own_name in taken.items():
        if parameters[own_name].default is inspect.Parameter.empty and not {name, own_name} & set(params.options):
            raise ArgumentError(f"{attack_name} needs the option {name}: type attack.options.{name}=...")


def option_names(library: str, attack: Callable[..., Any]) -> dict[str, str]:
    """The options that an attack takes, by their names in Latin letters, as the attack itself spells them.

    >>> def pgd(model, inputs, labels, ε, targeted=False, relative_step_size=0.1): ...
    >>> option_names("adv_lib", pgd)
    {'epsilon': 'ε', 'relative_step_size': 'relative_step_size'}
    """
    parameters = inspect.signature(attack).parameters
    names = [name for name, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    location = LIBRARIES[library]
    return {
        in_latin_letters(name): name
        for name in names[location.before_options :]
        if name not in location.follow_from_the_call
    }


def in_latin_letters(name: str) -> str:
    """A name with its Greek letters written out, since a command line takes no others.

    >>> in_latin_letters("γ_init")
    'gamma_init'
    """
    return "".join(c if c.isascii() else unicodedata.name(c).rsplit(maxsplit=1)[-1].lower() for c in name)


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
