"""Units of work of an experiment, stages and cells, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from advlab.store.artifacts import Arrays
from advlab.store.names import is_plain_name


def check_id(kind: str, text: str) -> None:
    """Refuse an id that is no plain file name.

    Raises:
        ValueError: it is empty, begins with a dot or has other characters.
    """
    if not is_plain_name(text) or text.startswith("."):
        raise ValueError(f"the {kind} must be at most 200 letters, digits, '-', '_', '+' and '.', got {text!r}")


@dataclass(frozen=True)
class Cost:
    """What a unit or a run will take, for the dry plan: forwards and backwards, in images."""

    forwards: int = 0
    backwards: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.forwards + other.forwards, self.backwards + other.backwards)


@dataclass(frozen=True)
class Cell:
    """An independent unit of work: a stable id (letters, digits, '-', '_', '.') and what `measure` needs to know.

    Attributes:
        id: names its file.
        payload: what `measure` is told.
        stages: ids of the stages that it needs; `ctx.stage(id)` gives what they made.
    """

    id: str
    payload: dict[str, Any] = field(default_factory=dict)
    stages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an id that is no plain file name.

        Raises:
            ValueError: it is empty, begins with a dot or has other characters.
        """
        check_id("id of a cell", self.id)


@dataclass(frozen=True)
class Stage:
    """An expensive intermediate result that cells share, kept as an artifact: made once, also for other runs.

    Attributes:
        id: what cells call it.
        key: everything that determines it (`ctx.key(...)`), and nothing else. Stages of the same kind and key, of whatever
            run or experiment, are one artifact.
        make: gives its arrays and its small facts (plain JSON); called when the cache has none.
        cost: of making it.
        kind: the folder of the cache, for stages that several experiments share; empty: one of the experiment and the id.
            Another algorithm or other arrays have another kind, or another `version` in their key.
        stages: ids of stages that it needs itself; their keys are part of its own.
    """

    id: str
    key: Mapping[str, Any]
    make: Callable[[], tuple[Arrays, Mapping[str, Any]]]
    cost: Cost = Cost()
    kind: str = ""
    stages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an id or a kind that is no plain file name.

        Raises:
            ValueError: it is empty, begins with a dot or has other characters.
        """
        check_id("id of a stage", self.id)
        if self.kind:
            check_id("kind of a stage", self.kind)
