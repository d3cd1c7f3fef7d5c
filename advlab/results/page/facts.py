"""What the manifest of a run says of network, data, machine, versions and cost, as pairs of words; it may be a stranger's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from advlab.errors import shorten
from advlab.results.differences import ABOUT_THE_START, Nodes

LONGEST = 300  # signs of a value
MOST_CLASSES = 20  # whose names are shown
LONGEST_CONFIGURATION = 20_000


@dataclass(frozen=True)
class Facts:
    """Some facts under a heading."""

    title: str
    pairs: list[tuple[str, str]]


def facts_of(manifest: Mapping[str, Any]) -> list[Facts]:
    """The facts of a manifest, without those that it does not have."""

    def at(*keys: str) -> Any:
        value: Any = manifest
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    git = " with changes that are not committed" if at("git", "dirty") is True else ""
    commit = f"{at('git', 'commit')}{git}" if at("git", "commit") else None
    versions = at("versions")
    groups = {
        "Cost": {
            "time": duration(at("seconds")), "forwards": at("forwards"), "backwards": at("backwards"),
            "attacked images": at("attacked", "images") or None, "attack": duration(at("attacked", "seconds") or None),
            "memory of the process": size(at("peak_memory_bytes", "host")),
            "memory of the device": size(at("peak_memory_bytes", "device")),
            "rows": at("rows"), "cells": at("cells"), "cells of an earlier start": at("cells_resumed") or None,
            "batch halvings": at("batch_halvings") or None,
            "not finite": at("nonfinite", "count") or None,
        },
        "Machine": {
            "device": at("device_name") or at("device"), "threads": at("threads"), "job": at("job"),
            "batch size": at("execution", "batch_size"), "memory format": at("execution", "memory_format"),
            "precision": at("execution", "precision") or at("precision"),
        },
        "Versions": {**(versions if isinstance(versions, Mapping) else {}), "commit of advlab": commit},
        "Network": {
            "name": at("model", "name"), "origin": at("model", "origin"), "parameters": at("model", "parameters"),
            "clean accuracy": accuracy(at("clean_accuracy")), "faults": at("model", "faults") or None,
            "digest of the weights": at("model", "weights"),
        },
        "Data": {
            "name": at("dataset", "name"), "split": at("dataset", "split"), "images": at("dataset", "images"),
            "shape": at("dataset", "shape"), "classes": classes(at("dataset", "classes")),
            "digest": at("dataset", "digest"),
        },
        "Digest": {"of the configuration": at("digest")},
    }  # fmt: skip
    found = [Facts(title, [(key, said(value)) for key, value in values.items() if value not in (None, "")])
             for title, values in groups.items()]  # fmt: skip
    return [facts for facts in found if facts.pairs]


def said(value: Any) -> str:
    """A value on one line: whole numbers with separators, lists and mappings as JSON."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) < 10**15 else shorten(str(value), LONGEST)
    return shorten(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), LONGEST)


def duration(seconds: Any) -> str | None:
    """`3 min 10 s` of a number of seconds; None of anything else.

    >>> duration(190.4), duration(7300), duration(1.25), duration("x")
    ('3 min 10 s', '2 h 2 min', '1.2 s', None)
    """
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < 1e12:
        return None
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def size(count: Any) -> str | None:
    """`1.1 GB` of a number of bytes; None of anything else, and of none.

    >>> size(1066225664), size(300_000), size(0)
    ('1.1 GB', '0.3 MB', None)
    """
    if not isinstance(count, int) or not 0 < count < 10**18:
        return None
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.1f} MB"


def accuracy(value: Any) -> str | None:
    """`0.9924 of 10,000 images, expected 0.9919`; None where it was not measured."""
    if not isinstance(value, Mapping) or not isinstance(value.get("accuracy"), int | float):
        return None
    images, expected = value.get("images"), value.get("expected")
    return (
        f"{value['accuracy']:.4f}"
        + (f" of {said(images)} images" if images is not None else "")
        + (f", expected {said(expected)}" if expected is not None else "")
    )


def classes(names: Any) -> str | None:
    """`10: 0 - zero; 1 - one; ...`; None where there are none."""
    if not isinstance(names, Sequence) or isinstance(names, str) or not names:
        return None
    shown = "; ".join(str(name)[:60] for name in names[:MOST_CLASSES])
    return f"{len(names):,}: {shown}{'; ...' if len(names) > MOST_CLASSES else ''}"[: LONGEST * 3]


def configuration_lines(nodes: Nodes) -> Iterator[str]:
    """The configuration as YAML, without what says where files lie and how the run was started."""
    shown = {
        group: {key: value for key, value in node.items() if not (group == "run" and key in ABOUT_THE_START)}
        for group, node in nodes.items()
        if node != {"name": "none"}
    }
    text = yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)
    yield from text[:LONGEST_CONFIGURATION].splitlines()
    if len(text) > LONGEST_CONFIGURATION:
        yield "..."
