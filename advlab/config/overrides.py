"""Overrides as a user types them (`model=vgg16`, `probe.samples=30`): what they set, and how a wrong one is mended."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, RangeSweep
from hydra.errors import HydraException

from advlab.config.groups import GROUPS
from advlab.errors import ConfigError
from advlab.shell import hydra_text, shell_word, typed_override
from advlab.store.bounded import MOST_DIGITS

#: keys whose value is a text of the user's own: a file, a folder, a name
OWN_TEXTS = (
    r"model\.checkpoint(?:_key)?|dataset\.(?:root|label|labels)|run\.(?:output|cache|data)_root|defense\.(?:\w+\.)?path"
)
MOST_JOBS = 10_000  # of a sweep
MOST_BRACKETS = 100  # of a value; Hydra's parser ends at some hundred levels


def check_extent(overrides: Sequence[str]) -> None:
    """Refuse numbers and nested lists that Hydra's parser would fail at.

    Raises:
        ConfigError: names the override.
    """
    for text in overrides:
        key, _, value = text.partition("=")
        digits = max(map(len, re.findall(r"[\d_]+", value)), default=0)
        if digits > MOST_DIGITS and re.search(rf"\d[\d_]{{{MOST_DIGITS - 1}}}", value):
            raise ConfigError(f"{key}: a number of {digits} digits is out of every range: type a smaller one")
        if sum(map(value.count, "[{(")) > MOST_BRACKETS and too_deep(value):
            raise ConfigError(f"{key}: the value is nested too deeply: type GROUP.KEY=VALUE, or a list as KEY=[A,B]")


def check_jobs(parsed: Sequence[Any]) -> None:
    """Refuse a sweep of more jobs than anyone wants, before they are listed.

    Args:
        parsed: Hydra's `Override` objects.

    Raises:
        ConfigError: names the overrides that sweep.
    """
    sweeping = [override for override in parsed if override.is_sweep_override()]
    if math.prod(sweep_size(override.value()) for override in sweeping) > MOST_JOBS:
        texts = " ".join(override.input_line for override in sweeping)
        raise ConfigError(f"{texts[:200]}: a sweep has at most {MOST_JOBS:,} jobs: type fewer values")


def sweep_size(sweep: Any) -> float:
    """How many values a parsed sweep has, at least; infinite where a range does not end.

    >>> parse = OverridesParser.create().parse_override
    >>> [sweep_size(parse(f"run.seed={text}").value()) for text in ("1,2", "range(0,7,2)", "range(3,0)", "range(0,1,0)")]
    [2, 4, 0, inf]
    """
    if isinstance(sweep, ChoiceSweep):
        return len(sweep.list)
    if not isinstance(sweep, RangeSweep) or sweep.start is None or sweep.stop is None:
        return 1
    try:
        return max(0, math.ceil((sweep.stop - sweep.start) / sweep.step))
    except (ArithmeticError, ValueError):  # ends, or steps, that are infinite, nan or 0
        return math.inf


def too_deep(value: str) -> bool:
    """Whether more brackets are open at one place than any value needs."""
    depth = 0
    for sign in value:
        depth += (sign in "[{(") - (sign in "]})")
        if depth > MOST_BRACKETS:
            return True
    return False


def explicit_keys(overrides: Sequence[str]) -> frozenset[str]:
    """The dotted keys and groups that a command line sets."""
    return frozenset(text.lstrip("+~").partition("=")[0].split("@")[0] for text in overrides)


def accept_unknown_keys(overrides: Sequence[str]) -> list[str]:
    """`group.key=value` as `++group.key=value`, which Hydra takes also where it does not know the key.

    So unknown keys are reported by `advlab.config.schema`, which offers near names.
    """
    pattern = rf"\+{{0,2}}((?:{'|'.join(GROUPS)})\.[^=]*=)"
    return [re.sub(pattern, r"++\1", text, count=1) if re.match(pattern, text) else text for text in overrides]


def with_texts_as_typed(overrides: Sequence[str]) -> list[str]:
    """The overrides; a path or name of the user's own that Hydra would not take for the text that it is in quotation marks.

    So `model.checkpoint=epoch=3.ckpt` and `dataset.root=2012` need no more than the shell asks for. Values for a sweep, those
    in quotation marks, interpolations and null stay, and a value with an equals sign or a comma too many is left to be refused.

    >>> with_texts_as_typed(["model.checkpoint=epoch=3.ckpt", "dataset.root=2012", "dataset.root=a,b", "run.seed=007"])
    ["model.checkpoint='epoch=3.ckpt'", "dataset.root='2012'", 'dataset.root=a,b', 'run.seed=007']
    """
    return [_with_text_as_typed(text) for text in overrides]


def _with_text_as_typed(text: str) -> str:
    match = re.fullmatch(rf"(\+{{0,2}}(?:{OWN_TEXTS})=)(.+)", text, re.DOTALL)
    if match is None:
        return text
    key, value = match.groups()
    try:
        override = OverridesParser.create().parse_override(text)
        parsed = None if override.is_sweep_override() else override.value()
        quoted = value.strip()[:1] in ("'", '"') and isinstance(parsed, str)
        if parsed is None or quoted or parsed == value:
            return text
    except HydraException:
        if value.startswith(("=", ",")) or value.endswith(","):
            return text
    return f"{key}{hydra_text(value)}"


def text_of(text: str) -> str:
    """The text that an override sets, without Hydra's quotation marks and backslashes."""
    return str(OverridesParser.create().parse_override(text).value())


def override_hint(text: str) -> str:
    """What to type instead of an override that does not parse."""
    key, equals, value = text.partition("=")
    if not equals:
        return (
            "type GROUP=NAME or GROUP.KEY=VALUE (a command such as list or plot comes first; a value with spaces stands in "
            "quotation marks, \"GROUP.KEY='a value'\")"
        )
    if key != key.strip():
        return "leave out the spaces around its key"
    if not re.fullmatch(r"[+~]{0,2}\w[\w/]*(\.\w+)*(\[\d*\])?", key):
        return f"{key!r} is no key: type GROUP=NAME or GROUP.KEY=VALUE"
    # of a group the value is a name, which holds no such characters
    whole = f", or if all of it is the value, {typed_override(key, value)}" if "." in key else ""
    if indexed := re.match(r"([\w.]+)\[\d*\]$", key):
        return f"a list is typed whole, as GROUP.KEY=VALUE with VALUE=[A,B]: type {indexed[1]}=[...]"
    if value.startswith("="):
        return f"type one =, as in {shell_word(key + value)}{whole}"
    if value.startswith("[") and value.endswith(",") and "]" not in value:
        return f"a shell ends a word at a space: leave out those in the brackets, or type '{key}=[A, B]' in quotation marks"
    if value.endswith(",") or value.startswith(","):
        return f"leave out the comma, or name another value{whole}"
    if any(value.count(mark) % 2 for mark in "'\"") or any(
        value.count(a) != value.count(b) for a, b in ("[]", "{}", "()")
    ):
        return f"close its brackets and quotation marks{whole}"
    return (
        "type GROUP=NAME or GROUP.KEY=VALUE; a value with special characters in quotation marks, also around the whole for the "
        f"shell: {typed_override(key, value)}"
    )
