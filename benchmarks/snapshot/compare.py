"""What differs between two snapshots: a line for each file, with the beginning of a unified diff."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from pathlib import Path

SHOWN = 12  # lines of a file's diff
WIDTH = 200  # characters of a line


def differences(old: Path, new: Path, wanted: Callable[[str], bool] = lambda name: True) -> Iterator[list[str]]:
    """Compare two folders.

    Args:
        old: the snapshot from before: a folder for each command line.
        new: the one from after.
        wanted: which names of command lines are compared.

    Yields:
        For each file, or whole command line, that differs, a list of lines to print.
    """
    names = [{path.name for path in folder.iterdir() if wanted(path.name)} for folder in (old, new)]
    for name in sorted(names[0] | names[1]):
        if name not in names[0] & names[1]:
            yield [f"{name}: only in {old if name in names[0] else new}"]
            continue
        files = [files_below(folder / name) for folder in (old, new)]
        for file in sorted(set(files[0]) | set(files[1])):
            if not (file in files[0] and file in files[1]):
                yield [f"{name}/{file}: only in {old if file in files[0] else new}"]
            elif files[0][file] != files[1][file]:
                yield [f"{name}/{file}: differs", *short_diff(files[0][file], files[1][file])]


def files_below(folder: Path) -> dict[str, bytes]:
    """The content of each file, by its path in the folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def short_diff(old: bytes, new: bytes) -> list[str]:
    """The first lines of a unified diff of two texts, without context."""
    before, after = (content.decode("utf-8", "backslashreplace").splitlines() for content in (old, new))
    lines = [line[:WIDTH] for line in difflib.unified_diff(before, after, n=0, lineterm="")][2:]  # after --- and +++
    if not lines:
        return ["    only in the ends of lines"]
    more = [f"    ... and {len(lines) - SHOWN} lines more"] if len(lines) > SHOWN else []
    return [f"    {line}" for line in lines[:SHOWN]] + more
