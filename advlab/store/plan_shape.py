"""What a plan must look like before anything is made of it: it may come from a stranger's run directory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: that the plan of every version has
PLAN_KEYS = frozenset(
    ("digest", "experiment", "config", "cells", "prepared", "device", "job", "execution", "weights", "data")
)
KINDS = {
    "experiment": str, "config": dict, "cells": list, "prepared": dict, "device": str, "job": str, "execution": dict,
    "weights": str, "data": str, "versions": dict, "stages": dict, "behaviour": list,
}  # fmt: skip


def has_plan_shape(plan: Mapping[str, Any]) -> bool:
    """Whether the parts of a plan, of those that it has, are of the types that they must be."""
    return (
        all(isinstance(plan[key], kind) for key, kind in KINDS.items() if key in plan)
        and all(isinstance(version, int) for version in plan.get("versions", {}).values())
        and set(plan["execution"]) in (set(), {"batch_size", "memory_format", "precision"})
        and re.fullmatch(r"cpu|mps|cuda(:[0-9]{1,3})?|", plan["device"]) is not None
    )
