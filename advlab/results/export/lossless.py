"""Tables as JSON from which the same values are read back, those that JSON has no numbers for among them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from advlab.store.tables import Frame

FORMAT, VERSION = "advlab-export", 1
KINDS = {"b": "boolean", "i": "integer", "u": "integer", "f": "number"}


def json_document(run: Mapping[str, str], tables: Mapping[str, Frame]) -> str:
    """Tables of a run as JSON.

    `{"format": "advlab-export", "version": 1, "run": {...}, "tables": {NAME: {"columns": [{"name", "type"}], "rows": [[...]]}}}`;
    the type of a column is integer, number, boolean or text. Numbers are written so that reading gives the same bits. JSON
    has no infinities and no NaN: in columns of the type number they are the texts "Infinity", "-Infinity" and "NaN", and
    null in columns of text is a missing value.

    Args:
        run: what it is.
        tables: by their names.
    """
    content = {
        "format": FORMAT, "version": VERSION, "run": dict(run),
        "tables": {name: {"columns": columns(frame), "rows": rows(frame)} for name, frame in tables.items()},
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def columns(frame: Frame) -> list[dict[str, str]]:
    """Name and type of each column."""
    return [
        {"name": str(name), "type": KINDS.get(kind.kind, "text")}
        for name, kind in zip(frame.columns, frame.dtypes, strict=True)
    ]


def rows(frame: Frame) -> list[list[Any]]:
    """The values of each line."""
    of_columns = []
    for name, kind in zip(frame.columns, frame.dtypes, strict=True):
        numbers = kind.kind in KINDS
        of_columns.append([plain(value) if numbers else text(value) for value in frame[name].tolist()])
    return [list(line) for line in zip(*of_columns, strict=True)]


def plain(value: Any) -> Any:
    """A number or truth value as JSON has it."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def text(value: Any) -> str | None:
    """A text, or null where it is missing."""
    missing = value is None or value != value or str(value) == "<NA>"
    return None if missing else str(value)
