"""Overrides as a user types them (`model=vgg16`, `probe.samples=30`): what they set, and how a wrong one is mended."""

from __future__ import annotations

import re
from collections.abc import Sequence

from advlab.config.groups import GROUPS


def explicit_keys(overrides: Sequence[str]) -> frozenset[str]:
    """The dotted keys and groups that a command line sets."""
    return frozenset(text.lstrip("+~").partition("=")[0].split("@")[0] for text in overrides)


def accept_unknown_keys(overrides: Sequence[str]) -> list[str]:
    """`group.key=value` as `++group.key=value`, which Hydra takes also where it does not know the key.

    So unknown keys are reported by `advlab.config.schema`, which offers near names.
    """
    pattern = rf"\+{{0,2}}((?:{'|'.join(GROUPS)})\.[^=]*=)"
    return [re.sub(pattern, r"++\1", text, count=1) if re.match(pattern, text) else text for text in overrides]


def override_hint(text: str) -> str:
    """What to type instead of an override that does not parse."""
    key, equals, value = text.partition("=")
    if not equals:
        return "type GROUP=NAME or GROUP.KEY=VALUE (a command such as list or plot comes first)"
    if key != key.strip():
        return "leave out the spaces around its key"
    if value.startswith("="):
        return f"type one =, as in {key}{value}"
    if value.endswith(",") or value.startswith(","):
        return "leave out the comma, or name another value"
    if any(value.count(mark) % 2 for mark in "'\"") or any(
        value.count(a) != value.count(b) for a, b in ("[]", "{}", "()")
    ):
        return "close its brackets and quotation marks"
    return f"type GROUP=NAME or GROUP.KEY=VALUE; a value with special characters in quotation marks: {key}='...'"
