"""A run in words that name the options of its components, too: what the title of its results and its manifest say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from advlab.config.choices import default_choice, group_choices, read_choice
from advlab.config.identity import component_class, default_parameters, same_value
from advlab.store.names import run_label, trains_by_pgd

#: keys that say where a component is, or what it follows from, and nothing that a label should
UNSAID = {
    "model": ("name", "input", "classes", "arch", "allow", "content", "sha256", "checkpoint_key"),
    "dataset": ("name", "label", "labels", "root", "content"),
    "attack": ("name", "attack"),
    "defense": ("name", "of"),
}


def label_with_options(nodes: Mapping[str, Mapping[str, Any]]) -> str:
    """`lenet on digits, hidden=100`: the label of a run, and what of its model, recipe, dataset, attack and defense is not as
    its choice has it.

    Args:
        nodes: the archived configuration, one mapping a group.
    """
    return ", ".join([run_label(nodes), *changed_options(nodes)])


def changed_options(nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """`key=value` of the options that a user has changed."""
    for group, unsaid in UNSAID.items():
        node = nodes.get(group, {"name": "none"})
        if node["name"] == "none" or not isinstance(node["name"], str):
            continue
        own = default_parameters(component_class(group, node)) | read_choice(group, choice_of(nodes, group))
        for key, value in node.items():
            if key not in unsaid and key in own and not same_value(value, own[key]):
                yield f"{key}={value_of(value)}"
        if group == "model" and (recipe := unusual_recipe(nodes)):
            yield f"recipe={recipe}"


def choice_of(nodes: Mapping[str, Mapping[str, Any]], group: str) -> str:
    """What was typed for a group, whose YAML file sets some options."""
    return str(nodes.get("choices", {}).get(group, nodes[group]["name"]))


def unusual_recipe(nodes: Mapping[str, Mapping[str, Any]]) -> str:
    """The recipe, where it trains the network and no choice of this model brings it along; otherwise empty."""
    recipe, model = nodes.get("recipe", {}).get("name", "none"), nodes["model"]["name"]
    if recipe == "none" or nodes["model"].get("checkpoint") or trains_by_pgd(nodes):
        return ""
    choices = [name for name in group_choices("model") if name == model or name.startswith(f"{model}_")]
    return "" if recipe in {default_choice("model", name, "recipe") for name in choices} else str(recipe)


def value_of(value: Any) -> str:
    """A value in a label; of a path its last part."""
    if isinstance(value, str):
        return value.rstrip("/").rpartition("/")[2]
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(value, separators=(",", ":"), default=str)
