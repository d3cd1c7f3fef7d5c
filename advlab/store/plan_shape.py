"""What a plan and a manifest must look like before anything is made of them: they may come from a stranger's run directory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from advlab.store.names import is_plain_name

#: that the plan of every version has
PLAN_KEYS = frozenset(
    ("digest", "experiment", "config", "cells", "prepared", "device", "job", "execution", "weights", "data")
)
KINDS = {
    "experiment": str, "config": dict, "cells": list, "prepared": dict, "device": str, "job": str, "execution": dict,
    "weights": str, "data": str, "threads": int, "device_name": str, "versions": dict, "stages": dict, "behaviour": list,
}  # fmt: skip


MOST_THREADS = 1024
MEMORY_FORMATS, PRECISIONS = ("contiguous", "channels_last"), ("float32", "tf32", "bf16")


def has_plan_shape(plan: Mapping[str, Any]) -> bool:
    """Whether the parts of a plan, of those that it has, are of the types that they must be."""
    return (
        all(isinstance(plan[key], kind) for key, kind in KINDS.items() if key in plan)
        and all(is_count(version) for version in plan.get("versions", {}).values())
        and all(isinstance(digest, str) for digest in plan.get("stages", {}).values())
        and all(map(is_plain_name, plan["cells"]))
        and is_execution(plan["execution"])
        and 0 <= plan.get("threads", 0) <= MOST_THREADS
        and bool(plan["execution"] or not plan["weights"])  # a network has both
        and all(map(is_count, dict_of(plan["prepared"].get("attack_versions")).values()))
        and re.fullmatch(r"cpu|mps|cuda(:[0-9]{1,3})?|", plan["device"]) is not None
    )


def has_manifest_shape(manifest: Mapping[str, Any]) -> bool:
    """Whether the parts of a manifest that are read, of those that it has, are of the types that they must be."""
    kinds = {"status": str, "experiment": str, "config": dict, "files": dict, "attacked": dict}
    return (
        all(isinstance(manifest[key], kind) for key, kind in kinds.items() if key in manifest)
        and all(isinstance(digest, str) for digest in manifest.get("files", {}).values())
        and all(is_number(manifest.get("attacked", {}).get(key, 0)) for key in ("images", "seconds"))
    )


def is_number(value: Any) -> bool:
    """Whether a value is a number that is not negative, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def dict_of(value: Any) -> dict[Any, Any]:
    """A mapping as it is, nothing as an empty one, anything else as one that holds no count."""
    return value if isinstance(value, dict) else {} if value is None else {"": None}


def is_execution(value: Mapping[str, Any]) -> bool:
    """Whether a mapping says how forward passes are made, or nothing."""
    return not value or (
        set(value) == {"batch_size", "memory_format", "precision"}
        and is_count(value["batch_size"])
        and value["memory_format"] in MEMORY_FORMATS
        and value["precision"] in PRECISIONS
    )


def is_count(value: Any) -> bool:
    """Whether a value is a whole number from 1 to 2^31."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 2**31
