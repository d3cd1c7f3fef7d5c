"""Examples of docstrings as blocks of code in the API reference.

The docstrings hold examples as doctest reads them, `>>> ...` after a blank line, which Markdown would take for quotations.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

EXAMPLE = re.compile(r"(?:^|(?<=\n\n))(>>> .*?)(?=\n\s*\n(?!>>> )|\Z)", re.DOTALL)


def with_blocks(text: str) -> str:
    r"""A docstring with a fence around each example.

    >>> with_blocks("Adds.\n\n>>> 1 + 1\n2\n\nMore.")
    'Adds.\n\n```pycon\n>>> 1 + 1\n2\n```\n\nMore.'
    """
    return EXAMPLE.sub(lambda found: f"```pycon\n{found[1]}\n```", text)


class DoctestBlocks(griffe.Extension):
    """Fences the examples of every docstring that is loaded."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None and ">>> " in obj.docstring.value:
            obj.docstring.value = with_blocks(obj.docstring.value)
