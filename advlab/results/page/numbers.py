"""The summary of a run as a table of the page: texts, and the numbers by which its lines are sorted."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from advlab.errors import ResultError, one_line
from advlab.store.bounded import read_bounded
from advlab.store.run_directory import RunDirectory
from advlab.store.sealed import sha256
from advlab.store.tables import NUMBER_TEXTS, value_text

LARGEST_SUMMARY = 1 << 25  # bytes
MOST_LINES, MOST_COLUMNS, LONGEST_TEXT = 2000, 100, 300
FEW_LINES = 4  # of a summary that is shown with a line for each of its columns, where it has more of these


@dataclass(frozen=True)
class Value:
    """One value.

    Attributes:
        text: as it is shown, numbers with four digits.
        number: as it is sorted; empty where it is none.
    """

    text: str
    number: str = ""


@dataclass(frozen=True)
class Numbers:
    """A table.

    Attributes:
        head: of the columns, the first of which says what a line is about.
        lines: of values, as many as the head.
        left_out: lines that the page does not show.
        turned: whether the lines are the columns of summary.csv, because it has few lines and many columns.
    """

    head: list[str]
    lines: list[list[Value]]
    left_out: int = 0
    turned: bool = False

    @property
    def numeric(self) -> list[bool]:
        """Of each column whether it holds numbers."""
        return [any(value.number for value in column) for column in zip(*self.lines, strict=True)]


def numbers_of(run: RunDirectory, digests: Mapping[str, str], remarks: list[str]) -> Numbers | None:
    """The summary of a run; None where it has none, or it is damaged, which is said in `remarks`."""
    try:
        if not run.summary_path.exists():
            if "summary.csv" in digests:
                remarks.append(f"{run.path}/summary.csv is missing")
            return None
        content = read_bounded(run.summary_path, LARGEST_SUMMARY)
        if digests.get("summary.csv", digest := sha256(content)) != digest:
            raise ValueError("it does not match its manifest")
        head, *lines = csv.reader(io.StringIO(content.decode("utf-8")), strict=True)
        if any(len(line) != len(head) for line in lines) or len(head) > MOST_COLUMNS:
            raise ValueError("its lines are not of one length, or too long")
    except (OSError, ValueError, csv.Error, ResultError) as error:
        remarks.append(f"{run.path}/summary.csv is left out: {one_line(error)}")
        return None
    return arranged(head, lines)


def arranged(head: list[str], lines: list[list[str]]) -> Numbers | None:
    """The lines without the label of the run; few lines with many columns are turned; None where nothing is left."""
    shown = [n for n, name in enumerate(head) if name != "run"]
    names = [head[n][:LONGEST_TEXT] for n in shown]
    values = [[value_of(line[n]) for n in shown] for line in lines[:MOST_LINES]]
    if not names or not values:
        return None
    if len(values) > FEW_LINES or len(names) <= 2 * len(values):
        return Numbers(names, values, len(lines) - len(values))
    columns = [[Value(name), *column] for name, column in zip(names, zip(*values, strict=True), strict=True)]
    if len(values) == 1:
        return Numbers(["quantity", "value"], columns, turned=True)
    for n, column in enumerate(columns):
        if len({value.text for value in column}) == len(column):  # it tells the lines apart, and so names them
            return Numbers([value.text for value in column], columns[:n] + columns[n + 1 :], turned=True)
    heads = [f"line {n}" for n in range(1, len(values) + 1)]
    return Numbers(["quantity", *heads], columns, turned=True)


def value_of(text: str) -> Value:
    """A value of a CSV file: whole numbers as they are, others with four digits.

    >>> value_of("0.123456"), value_of("l2"), value_of("nan")
    (Value(text='0.1235', number='0.123456'), Value(text='l2', number=''), Value(text='', number=''))
    """
    if NUMBER_TEXTS[int].fullmatch(text) and len(text) < 16:
        return Value(text, text)
    if NUMBER_TEXTS[float].fullmatch(text) and len(text) < 40:
        number = float(text)
        return Value(value_text(number), "" if number != number else repr(number).replace("inf", "Infinity"))
    return Value(text[:LONGEST_TEXT])
