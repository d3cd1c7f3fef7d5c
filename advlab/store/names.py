"""Names of runs and of what they consist of: as a part of a path, and in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PLAIN_NAME = re.compile(r"\.?[A-Za-z0-9_-][A-Za-z0-9_.+-]*")  # of a file, with no way out of its folder
LIBRARIES = ("timm", "robustbench")  # models that are named by their `arch`
LONGEST_NAME = 200  # bytes, which leaves room for what is put around it while a file is written


def is_plain_name(text: object, longest: int = LONGEST_NAME) -> bool:
    """Whether a name, which may come from a stranger's file, is that of a file in a folder and of nothing else."""
    return isinstance(text, str) and len(text) <= longest and PLAIN_NAME.fullmatch(text) is not None


def safe_name(text: str) -> str:
    """`text` as one path component: anything but letters, digits, '.', '_' and '-' becomes '_'; never hidden."""
    name = re.sub(r"[^\w.-]+", "_", text, flags=re.ASCII).lstrip(".")[:80]
    return name or "_"


def component_label(nodes: Mapping[str, Mapping[str, Any]], group: str) -> str:
    """What the component of a group is called in paths and labels; `none` where there is none.

    An attack or a defense by what was typed, where the configuration holds it (`hc` and `hc1` both make a `hot_cold`, and
    are no runs of one kind), a chain of defenses by its parts (`blur+noise`), a dataset by its label, a network of another
    library by its name there as well (`timm-resnet18`), one that its recipe trains on adversarial images with `_pgd` behind its
    name, and all else by the component's name.

    Args:
        nodes: the configuration, one mapping a group; `choices`, group -> what was typed, and `defense` may be missing.
        group: such as `attack`.
    """
    node = nodes.get(group, {})
    choices = nodes.get("choices", {})
    if group in ("attack", "defense") and isinstance(choices, Mapping) and group in choices:
        return str(choices[group])
    if group == "defense" and node.get("name") == "chain" and isinstance(node.get("of"), list):
        return "+".join(str(part.get("name")) for part in node["of"] if isinstance(part, Mapping)) or "chain"
    if group == "model" and node.get("name") in LIBRARIES and "arch" in node:
        return f"{node['name']}-{node['arch']}"
    label = node.get("label") if group == "dataset" else None
    name = str(label or node.get("name", "none"))
    return f"{name}_pgd" if group == "model" and name != "none" and trains_by_pgd(nodes) else name


def trains_by_pgd(nodes: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the recipe of a configuration trains the network on adversarial images of Madry et al. (2018)."""
    entries = nodes.get("recipe", {}).get("augment")
    by_pgd = isinstance(entries, list) and any(str(entry).startswith("pgd") for entry in entries)
    return by_pgd and not nodes.get("model", {}).get("checkpoint")


def named_components(nodes: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What a run's own label names: the labels of four components, and the directions of its probe."""
    names = {group: component_label(nodes, group) for group in ("model", "dataset", "attack", "defense")}
    return {**names, "probe.direction": str(nodes.get("probe", {}).get("direction", "random"))}


def components_in_words(names: Mapping[str, str], otherwise: str = "") -> str:
    """`deepfool: lenet with blur on digits, fgv`, without what is missing, `none` or `random`.

    Args:
        names: some of `named_components`.
        otherwise: stands for model and dataset where there is neither.
    """
    said = {key: name for key, name in names.items() if name not in ("none", "random")}
    network = " with ".join(said[group] for group in ("model", "defense") if group in said)
    text = " on ".join(word for word in (network, said.get("dataset", "")) if word) or otherwise
    text = ", ".join(word for word in (text, said.get("probe.direction", "")) if word)
    return ": ".join(word for word in (said.get("attack", ""), text) if word)


def run_label(nodes: Mapping[str, Mapping[str, Any]]) -> str:
    """A run in words, for titles and legends: `deepfool: lenet on digits, fgv`.

    The attack stands before model and dataset, the defense between them, the probe's directions stand after them, unless
    they are random.

    Args:
        nodes: the configuration, one mapping a group.
    """
    return components_in_words(named_components(nodes), str(nodes["experiment"]["name"]))
