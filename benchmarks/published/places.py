"""Absolute paths in texts: what a published result must not say of the machine that it was measured on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: a path from the root or from a home, of POSIX or Windows, where it does not go on a word, a relative path or an address
PLACE = re.compile(r"(?:file://|(?<![\w.:/~\\<)\]]))(?:~?/(?=[\w.~-])|[A-Za-z]:[\\/])[^\s,;:'\"\[\]{}()<>|]*")


def places(text: str) -> list[str]:
    """The absolute paths in a text.

    >>> places("dataset.root=/data/images and ~/.cache/x, not a/b, 1/255, https://host/a or 0..1")
    ['/data/images', '~/.cache/x']
    """
    return [found for found in PLACE.findall(text) if found.strip("/~")]


def without_places(value: Any) -> Any:
    """A value in which the texts name the last part of each absolute path alone.

    >>> without_places({"root": "/data/images", "files": ["C:\\\\x\\\\y.pt", "a/b"], "n": 3})
    {'root': 'images', 'files': ['y.pt', 'a/b'], 'n': 3}
    """
    if isinstance(value, str):
        return PLACE.sub(lambda found: re.split(r"[/\\]", found[0].rstrip("/\\"))[-1].removeprefix("~"), value)
    if isinstance(value, Mapping):
        return {key: without_places(part) for key, part in value.items()}
    return [without_places(part) for part in value] if isinstance(value, list) else value
