"""Units of work of an experiment, and what they cost."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Cell:
    """An independent unit of work: a stable id (letters, digits, '-', '_', '.') and what `measure` needs to know."""

    id: str
    payload: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an id that is no plain file name.

        Raises:
            ValueError: it is empty, begins with a dot or has other characters.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", self.id):
            raise ValueError(f"the id of a cell must be letters, digits, '-', '_' and '.', got {self.id!r}")


@dataclass(frozen=True)
class Cost:
    """What a run will take, for the dry plan: forwards and backwards, in images."""

    forwards: int = 0
    backwards: int = 0
