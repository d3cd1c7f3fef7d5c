"""Tables: rows of a dataclass to CSV text and back with the same bits, and CSV files as DataFrames."""

from __future__ import annotations

import csv
import dataclasses
import io
import operator
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from advlab import collection
from advlab.errors import ResultError
from advlab.shell import command_to_resume
from advlab.store.bounded import check_size

if TYPE_CHECKING:
    import pandas as pd

    Frame: TypeAlias = pd.DataFrame
else:  # pandas takes a second to import, which lists, descriptions and refusals need not wait for
    Frame = Any

REMEDY = "Repeat the run's command with run.resume=true, which writes it anew"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

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
NUMBER_TEXTS = {  # no number that is written here begins with 0 and a digit, but names of classes do
    bool: re.compile("True|False"),
    int: re.compile(r"-?(0|[1-9]\d*)"),
    float: re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?|nan|[+-]?inf", re.IGNORECASE),
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
            if escape and kind is str and text.startswith(FORMULA_STARTS):
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


def current_columns(header: Sequence[str], row_type: type) -> list[str]:
    """The header of a table by today's names.

    A row type that has renamed columns says so in a class attribute `former_columns`, old name to new name, so that
    tables and cells written before are still read.
    """
    former: dict[str, str] = getattr(row_type, "former_columns", {})
    return [former.get(name, name) for name in header]


def later_columns(row_type: type) -> dict[str, Any]:
    """Name -> default of the fields that have one: columns that tables written before need not have."""
    fields = dataclasses.fields(row_type)
    return {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}


def from_csv(text: str, row_type: type) -> list[Any]:
    """The inverse of `to_csv` without `escape`; columns may bear their former names, and those with a default be missing.

    Raises:
        ValueError: the columns are not those of `row_type`, or a value is not of its type.
    """
    columns = column_types(row_type)
    try:
        header, *lines = csv.reader(io.StringIO(text), strict=True)
        present, later = current_columns(header, row_type), later_columns(row_type)
        columns = {name: kind for name, kind in columns.items() if name in present or name not in later}
        if present != list(columns):
            raise ValueError(f"the columns are not those of {row_type.__name__}")
        return [
            row_type(**{name: PARSE[kind](item) for (name, kind), item in zip(columns.items(), line, strict=True)})
            for line in lines
        ]
    except (csv.Error, KeyError) as error:
        raise ValueError(f"no table of {row_type.__name__}: {error}") from error


def frame_of(rows: Sequence[Any]) -> Frame:
    """A table of rows: mappings from column to value."""
    import pandas as pd  # see Frame

    return pd.DataFrame(rows)


def joined_frames(frames: Sequence[Frame]) -> Frame:
    """The rows of several tables with the same columns, one table after the other."""
    import pandas as pd  # see Frame

    return pd.concat(frames, ignore_index=True)


def read_frame(path: Path, row_type: type | None = None) -> Frame:
    """A CSV table as a DataFrame, floats to the bit; text stays text, also where it reads `nan`, `NA` or `00025`.

    Args:
        path: the file.
        row_type: the dataclass of its rows, which says what is text whatever it looks like, and which columns had
            other names before (`current_columns`); without it, a column of nothing but numbers, none of which begins
            with 0 as `007` does, is taken for numbers.

    Raises:
        ResultError: the file is missing or no CSV.
    """
    with collection.paused():
        import pandas as pd  # see Frame
    try:
        check_size(path)
        frame = pd.read_csv(path, dtype=str, na_filter=False)
    except FileNotFoundError as error:
        raise ResultError(f"{path} is missing: go on with `{command_to_resume(path.parent)}`") from error
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise ResultError(f"{path} is no CSV table: {error}") from error
    known = {}
    if row_type is not None:
        known = column_types(row_type)
        frame.columns = current_columns(frame.columns, row_type)
        later = later_columns(row_type).keys() - set(frame.columns)
        check_frame(path, frame, {name: kind for name, kind in known.items() if name not in later})
    for name in frame.columns:
        values = list(frame[name])
        if not values:
            frame[name] = frame[name].astype(known.get(name, float))
        elif known.get(name) is not str and (kind := number_type(values)) is not None:
            frame[name] = list(map(PARSE[kind], values))
    for name, default in (later_columns(row_type) if row_type is not None else {}).items():
        if name not in frame:
            frame[name] = default
    return frame


def check_frame(path: Path, frame: Frame, known: Mapping[str, type]) -> None:
    """Refuse a table that has other columns than its rows, or no numbers where they have numbers.

    Raises:
        ResultError: names the column.
    """
    for name, kind in known.items():
        if name not in frame.columns:
            raise ResultError(f"{path} has no column {name}, which its experiment writes: it is another table")
        if kind is not str and len(frame) and number_type(list(frame[name])) is None:
            raise ResultError(f"{path} has values in the column {name} that are none of its kind: it is damaged")


def number_type(values: Sequence[str]) -> type | None:
    """bool, int or float, where all texts of a column are written as such; else None."""
    for kind, pattern in NUMBER_TEXTS.items():
        if all(map(pattern.fullmatch, values)):
            return kind
    return None


def frame_text(frame: Frame) -> str:
    """A short frame as lines, a line for each of its columns; numbers with four digits, empty where there is none."""
    cells = [[name, *(value_text(value) for value in frame[name])] for name in map(str, frame.columns)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join(line.rstrip() for line in lines)


def value_text(value: Any) -> str:
    """One value of a frame as a reader wants it: numbers with four digits, nothing for NaN."""
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value)
