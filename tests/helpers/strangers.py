"""Run directories of strangers: what may stand in them, and what must hold when a command is given one."""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.helpers.commands import Ended

POINTS = ("experiment=hard_points", "experiment.resolution=60")
ISOTROPY = (
    "run.preset=tiny",
    "probe.trials=4",
    "probe.radii=[1]",
    "recipe.epochs=1",
    "probe.confidence=0",
    "run.batch_size=8",
)
RUNS = {"points": (POINTS, "hard_points"), "network": (ISOTROPY, "isotropy/digits-lenet")}


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


#: what stands in place of anything in a plan, a manifest or a configuration
VALUES: list[Any] = [
    None, True, -1, 0, 2**70, 0.5, float("nan"), float("inf"), "", "x", "..", "../../victim/data", "../victim", "/etc/passwd",
    ".", "a/b", "a\\b", "x" * 300, "a\0b", "\udcff", "${oc.env:HOME}", "none", "=1+1", [], {}, [None], ["../../victim/data"],
    [{}], [[1]], {"": {}}, {"name": "none"}, {"../../victim": "x"}, {"_target_": "os.system"}, deep(30), deep(300),
]  # fmt: skip


def contents(place: Path) -> dict[str, str]:
    """Names and digests of all files below a folder."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(place.rglob("*")) if path.is_file()
    }


def one_line(ended: Ended, *codes: int) -> None:
    """Assert that a command ended without a traceback, and if it was refused, by one message at its end."""
    assert ended.code in codes, ended.err
    assert "Traceback" not in ended.err
    if ended.code:
        assert ended.err.splitlines()[-1].startswith("advlab: "), ended.err
        assert len(ended.err) < 8000


def unfinished(run: Path, keep: int = 0) -> None:
    """Take the manifest and all but some cells away."""
    (run / "manifest.json").unlink(missing_ok=True)
    for path in sorted((run / "cells").glob("*.csv"))[keep:]:
        path.unlink()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in nested mappings and lists."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from places(part, (*path, key))


def altered(content: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """A copy with one to three values replaced, left out, wrapped or renamed."""
    changed = copy.deepcopy(content)
    for _ in range(draw.randint(1, 3)):
        *above, key = draw.choice(list(places(changed)) or [("x",)])
        inner: Any = changed
        for step in above:
            inner = inner[step]
        what = draw.random()
        if what < 0.1:
            del inner[key]
        elif what < 0.2 and isinstance(inner, dict):
            inner[str(draw.choice(VALUES))[:300]] = inner.pop(key)
        else:
            inner[key] = copy.deepcopy(draw.choice(VALUES)) if what < 0.9 else {"x": [inner[key]]}
    return changed


def write_yaml(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8", errors="surrogateescape")
