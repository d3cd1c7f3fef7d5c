"""Which lines of the summaries of several runs are about the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from advlab.store.tables import Frame

Line = Mapping[str, Any]  # of a summary: column -> value, None where there is none


def identity_count(frame: Frame) -> int:
    """How many of the first columns say what a line is about; they leave some column that is a number, where one is."""
    columns, count = len(frame.columns), int(len(frame) > 1)
    while count < columns and frame.iloc[:, :count].duplicated().any():
        count += 1
    if count == columns:
        count = 0
    while count < columns and frame.dtypes.iloc[count].kind not in "biuf":
        count += 1
    return count


def matched_keys(runs: Sequence[Sequence[Line]], keys: Sequence[str]) -> list[str]:
    """Those keys by which lines of different runs are the same: without identifiers of which each run has its own."""
    matched = list(keys)
    for key in keys:
        of_runs = [{line.get(key) for line in lines} for lines in runs]
        others = [other for other in matched if other != key]
        if set().union(*of_runs) not in of_runs and all(_told_apart(lines, others) for lines in runs):
            matched = others
    return matched


def _told_apart(lines: Sequence[Line], keys: Sequence[str]) -> bool:
    return len({tuple(line.get(key) for key in keys) for line in lines}) == len(lines)


def numbered_lines(lines: Sequence[Line], keys: Sequence[str]) -> dict[tuple[tuple[Any, ...], int], Line]:
    """The lines by their keys, and 1, 2, ... among those that have the same."""
    numbered: dict[tuple[tuple[Any, ...], int], Line] = {}
    seen: Counter[tuple[Any, ...]] = Counter()
    for line in lines:
        values = tuple(line.get(key) for key in keys)
        seen[values] += 1
        numbered[values, seen[values]] = line
    return numbered
