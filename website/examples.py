"""The page of the examples: each file of examples/ under a heading."""

from __future__ import annotations

import ast
from pathlib import Path

INTRODUCTION = """# Examples to copy

Each file is complete, names its command at the top, and is run by a test. The how-to pages say more about each kind.
"""


def examples_page(root: Path) -> str:
    """All files of examples/, with the first line of their docstring."""
    parts = [INTRODUCTION]
    for path in sorted((root / "examples").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        first = (ast.get_docstring(ast.parse(text)) or "").split("\n")[0]
        parts.append(f"## {path.name}\n\n{first}\n\n```python\n{text.rstrip()}\n```\n")
    return "\n".join(parts)
