"""Which YAML files of a configuration folder include each other in a circle through their defaults lists."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml


def defaults_cycle(folder: Path, first: Sequence[str] = ()) -> list[str]:
    """The files of a circle, the first at the end again, as in ['model/a.yaml', 'model/b.yaml', 'model/a.yaml']; or nothing.

    Args:
        folder: of `--config-dir`.
        first: GROUP/NAME of the files from which a circle is looked for before all others.
    """
    files = {path.relative_to(folder).as_posix().removesuffix(".yaml"): path for path in sorted(folder.rglob("*.yaml"))}
    includes = {name: [other for other in included(name, path) if other in files] for name, path in files.items()}
    for start in sorted(includes, key=lambda name: name not in first):
        way = [start]
        while True:
            onward = [other for other in includes[way[-1]] if other not in way[1:]]
            if not onward:
                break
            way.append(onward[0])
            if onward[0] == start:
                return [f"{name}.yaml" for name in way]
    return []


def included(name: str, path: Path) -> list[str]:
    """GROUP/NAME of what the defaults list of the file GROUP/NAME.yaml includes; nothing of a file that does not parse."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return []
    entries = content.get("defaults") if isinstance(content, dict) else None
    return [target for entry in entries if (target := entry_target(name, entry))] if isinstance(entries, list) else []


def entry_target(name: str, entry: Any) -> str:
    """GROUP/NAME of one entry, relative to the file's group as Hydra reads it; empty for what includes no one file.

    >>> entry_target("model/mine", "other"), entry_target("model/mine", {"/recipe": "short"})
    ('model/other', 'recipe/short')
    >>> entry_target("model/mine", {"override /recipe": "short"}), entry_target("model/mine", "_self_")
    ('', '')
    """
    group = name.rpartition("/")[0]
    if isinstance(entry, str) and entry != "_self_":
        target = entry
    elif isinstance(entry, dict) and len(entry) == 1:
        key, value = next(iter(entry.items()))
        key = str(key).removeprefix("optional ").strip()
        if key.startswith("override ") or not isinstance(value, str):
            return ""
        target = f"{key}/{value}"
    else:
        return ""
    target = target.partition("@")[0].removesuffix(".yaml")
    return target[1:] if target.startswith("/") else f"{group}/{target}".lstrip("/")
