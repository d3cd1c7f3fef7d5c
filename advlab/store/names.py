"""Names of runs: as a part of a path, and in words."""

from __future__ import annotations

import re
from typing import Any


def safe_name(text: str) -> str:
    """`text` as one path component: anything but letters, digits, '.', '_' and '-' becomes '_'; never hidden."""
    name = re.sub(r"[^\w.-]+", "_", text, flags=re.ASCII).lstrip(".")[:80]
    return name or "_"


def run_label(nodes: dict[str, dict[str, Any]]) -> str:
    """A run in words, for titles and legends: `deepfool: lenet on digits, fgv`.

    The attack stands before model and dataset, the probe's directions stand after them, unless they are random.

    Args:
        nodes: the configuration, one mapping a group.
    """
    model, dataset = nodes["model"]["name"], nodes["dataset"].get("label") or nodes["dataset"]["name"]
    words = [model if model != "none" else "", dataset if dataset != "none" else ""]
    text = " on ".join(word for word in words if word) or nodes["experiment"]["name"]
    direction = nodes.get("probe", {}).get("direction", "random")
    text = text if direction == "random" else f"{text}, {direction}"
    attack = nodes.get("attack", {}).get("name", "none")
    return text if attack == "none" else f"{attack}: {text}"
