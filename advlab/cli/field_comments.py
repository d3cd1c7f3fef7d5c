"""What the source says about each parameter: the comments and docstrings that a reader of the class would see."""

from __future__ import annotations

import inspect
import re
from typing import Any


def field_comments(component: Any) -> dict[str, str]:
    """Name -> the comment behind or above a field, or its entry in the class's `Attributes:` section.

    What a class says replaces what its bases say.
    """
    comments: dict[str, str] = {}
    for cls in reversed(inspect.getmro(component) if inspect.isclass(component) else [component]):
        if cls is object:
            continue
        if inspect.isclass(cls) and "__doc__" in vars(cls):
            comments |= attributes_section(inspect.getdoc(cls) or "")
        try:
            source = inspect.getsource(cls)
        except (OSError, TypeError):
            continue
        comments |= source_comments(source)
    return comments


def attributes_section(docstring: str) -> dict[str, str]:
    """The entries `name: text` or `name, name: text` of a docstring's `Attributes:`, each on one line."""
    section = re.search(r"Attributes:\n(.*?)(?:\n\n|\Z)", docstring, re.DOTALL)
    if section is None:
        return {}
    entries = re.findall(r"^    ([\w, ]+): (.*(?:\n {8}.*)*)", section[1], re.MULTILINE)
    return {name: re.sub(r"\s+", " ", text) for names, text in entries for name in names.split(", ")}


def source_comments(source: str) -> dict[str, str]:
    """The comments behind fields (`lr: float = .1  # of SGD`), and those above them that begin with `#:`."""
    comments = {}
    above = ""
    for line in source.splitlines():
        comment = re.match(r"\s+#: ?(.*)", line)
        if comment:
            above = f"{above} {comment[1]}".strip()
            continue
        match = re.match(r"    \s*(\w+): [^#]*?(?:  # (.*))?$", line)
        if match and (match[2] or above):
            comments[match[1]] = match[2] or above
        above = ""
    return comments
