"""Typed rows <-> CSV text, to the bit."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import operator
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advlab.errors import ResultError

if TYPE_CHECKING:
    import pandas as pd

REPEAT = "Repeat the run's command with run.resume=true, which writes it anew"
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

FORMAT: dict[type, Callable[[Any], str]] = {
    bool: lambda value: str(bool(value)),
    int: lambda value: str(operator.index(value)),
    float: lambda value: repr(float(value)),
    str: lambda value: str(value).encode("utf-8", "backslashreplace").decode(),  # a file name may be no Unicode
}
PARSE: dict[type, Callable[[str], Any]] = {
    bool: lambda text: {"True": True, "False": False}[text],
    int: int,
    float: float,
    str: str,
}


def to_csv(rows: Sequence[Any], row_type: type, *, escape: bool = False) -> str:
    """Rows as CSV text with a header; floats are written so that reading gives the same bits.

    Args:
        rows: instances of `row_type`.
        row_type: a dataclass of int, float, bool and str fields; values are written as their field's type.
        escape: put ' before text that a spreadsheet would take for a formula (starts with = + - @ or a control sign).
    """
    columns = column_types(row_type)
    lines = [",".join(columns)]
    for row in rows:
        values = []
        for name, kind in columns.items():
            text = FORMAT[kind](getattr(row, name))
            if escape and kind is str and text.startswith(FORMULA):
                text = "'" + text
            values.append(quoted(text))
        lines.append(",".join(values))
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """One value of a CSV line; carriage returns are quoted as well, which csv.writer does from Python 3.13 on only."""
    if text and not any(sign in text for sign in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


def column_types(row_type: type) -> dict[str, type]:
    """Name -> int, float, bool or str of the fields of a dataclass; a Literal of texts is text.

    Raises:
        TypeError: a field has another type.
    """
    hints = typing.get_type_hints(row_type)
    columns = {}
    for field in dataclasses.fields(row_type):
        kind = str if typing.get_origin(hints[field.name]) is typing.Literal else hints[field.name]
        if kind not in FORMAT:
            raise TypeError(f"{row_type.__name__}.{field.name}: a column is int, float, bool or str, not {kind}")
        columns[field.name] = kind
    return columns


def from_csv(text: str, row_type: type) -> list[Any]:
    """The inverse of `to_csv` without `escape`.

    Raises:
        ValueError: the columns are not those of `row_type`, or a value is not of its type.
    """
    columns = column_types(row_type)
    try:
        header, *lines = csv.reader(io.StringIO(text), strict=True)
        if header != list(columns):
            raise ValueError(f"the columns are not those of {row_type.__name__}")
        parsers = [PARSE[kind] for kind in columns.values()]
        return [row_type(*(parse(item) for parse, item in zip(parsers, line, strict=True))) for line in lines]
    except (csv.Error, KeyError) as error:
        raise ValueError(f"no table of {row_type.__name__}: {error}") from error


def read_frame(path: Path) -> pd.DataFrame:
    """A CSV table as a DataFrame, floats to the bit; text stays text, also where it reads `nan`, `NA` or `00025`.

    Raises:
        ResultError: the file is missing or no CSV.
    """
    import pandas as pd

    try:
        options: dict[str, Any] = {"keep_default_na": False, "na_values": [], "low_memory": False}
        frame = pd.read_csv(path, float_precision="round_trip", **options)
        raw = pd.read_csv(path, dtype=str, **options)
    except FileNotFoundError as error:
        raise ResultError(f"{path} is missing: go on with `advlab resume {path.parent}`") from error
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise ResultError(f"{path} is no CSV table: {error}") from error
    for name in frame.columns:
        if raw[name].str.match(r"[+-]?0\d").any():  # no number that is written here begins so, but names of classes do
            frame[name] = raw[name]
            continue
        # numbers with nan or inf among them are read as text above
        if frame[name].dtype == object or str(frame[name].dtype) in ("str", "string"):
            with contextlib.suppress(ValueError, TypeError):
                frame[name] = frame[name].astype(float)
    return frame


def frame_text(frame: pd.DataFrame) -> str:
    """A short frame as lines, a line for each of its columns; numbers with four digits, empty where there is none."""
    cells = [[name, *(shown(value) for value in frame[name])] for name in map(str, frame.columns)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join(line.rstrip() for line in lines)


def shown(value: Any) -> str:
    """One value of a frame for a reader."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value)
