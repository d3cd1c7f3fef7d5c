"""Values as a command line holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from advlab.errors import ConfigError
from advlab.shell import hydra_text


def text_of_value(key: str, value: Any) -> str:
    """A value as Hydra's grammar takes it for itself.

    Raises:
        ConfigError: it is none that a command line could hold.

    >>> text_of_value("x", True), text_of_value("x", [1, "a=b"]), text_of_value("x", None)
    ('true', "[1,'a=b']", 'null')
    """
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:  # a scalar of numpy or torch
        value = value.item()
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str | Path):
        return hydra_text(str(value))
    if isinstance(value, Mapping):
        inner = (f"{hydra_text(str(name))}:{text_of_value(key, part)}" for name, part in value.items())
        return "{" + ",".join(inner) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(text_of_value(key, part) for part in value) + "]"
    raise ConfigError(
        f"{key}: a {type(value).__name__} cannot be typed: give a number, a text, or a list or mapping of them"
    )
