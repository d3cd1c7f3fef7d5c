"""Files that a stranger may have written, read within bounds: what they say is looked at before it is expanded."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import yaml

LARGEST_YAML = 1 << 20  # bytes; configurations have some thousands
LARGEST_JSON = 1 << 26  # a plan lists its samples and cells
LARGEST_TABLE = 1 << 31
MOST_NODES = 50_000  # values of a YAML file, those that aliases repeat among them
DEEPEST = 40  # mappings and lists in each other
MOST_DIGITS = 1000  # of a number; from 4300 on Python writes none
NUMBER = re.compile(r"[-+]?[0-9][0-9a-fA-Fxo_:]*")  # whole, of any base that YAML knows


class TooLarge(ValueError):
    """A file is larger, deeper or repeats more than anything that is written here."""


def check_size(path: Path, most: int = LARGEST_TABLE) -> None:
    """Refuse what is no regular file (a device or a pipe would never end), or is too large.

    Raises:
        OSError: there is no such file, or it cannot be looked at.
        TooLarge: says which of it.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise TooLarge("it is no regular file")
    if found.st_size > most:
        raise TooLarge(f"it has {found.st_size:,} bytes, at most {most:,} are read")


def read_bounded(path: Path, most: int = LARGEST_TABLE) -> bytes:
    """The content of a regular file of at most `most` bytes; see `check_size` for what it raises."""
    check_size(path, most)
    with path.open("rb") as file:
        return file.read(most)


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no JSON, or too large or too deep (`TooLarge`).
    """
    try:
        value = json.loads(read_bounded(path, LARGEST_JSON))
    except RecursionError as error:
        raise TooLarge(f"its values are nested more than {DEEPEST} deep") from error
    check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Refuse lists and mappings that are nested too deeply.

    Raises:
        TooLarge: deeper than `DEEPEST`.
    """
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [part for whole in level for part in parts_of(whole)]
        if not level:
            return
    raise TooLarge(f"its values are nested more than {DEEPEST} deep")


def parts_of(value: Any) -> list[Any]:
    """What a list or a mapping holds; nothing for any other value."""
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def read_yaml(path: Path) -> Any:
    """The value of a YAML file; aliases are counted before they are expanded.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no Unicode or no date, or too large, too deep or repeats too much (`TooLarge`).
        yaml.YAMLError: it is no YAML.
    """
    text = read_bounded(path, LARGEST_YAML).decode("utf-8")
    check_yaml(text)
    return yaml.safe_load(text)


def check_yaml(text: str) -> None:
    """Refuse YAML that is nested too deeply, is too much once its aliases are expanded, or holds endless numbers; expands nothing.

    Raises:
        TooLarge: says which of it.
        yaml.YAMLError: it is no YAML.
    """
    if len(text) > LARGEST_YAML:
        raise TooLarge(f"it has {len(text):,} signs, at most {LARGEST_YAML:,} are read")
    sizes: dict[str, int] = {}  # anchor -> values below it, all aliases expanded
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]  # anchor, and values so far, of what is not closed yet
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, 1))
            if len(open_nodes) > DEEPEST + 1:
                raise TooLarge(f"its values are nested more than {DEEPEST} deep")
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
        elif isinstance(event, yaml.ScalarEvent):
            if len(event.value) > MOST_DIGITS and NUMBER.fullmatch(event.value):
                raise TooLarge(f"it holds a number of {len(event.value):,} digits, at most {MOST_DIGITS:,} are read")
            anchor, size = event.anchor, 1
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in open_nodes):
                raise TooLarge(f"the alias *{event.anchor} stands in what it names")
            anchor, size = None, sizes.get(str(event.anchor), 1)
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        around, total = open_nodes[-1]
        open_nodes[-1] = (around, total + size)
        if total + size > MOST_NODES:
            raise TooLarge(f"it has more than {MOST_NODES:,} values, those that its aliases repeat among them")
