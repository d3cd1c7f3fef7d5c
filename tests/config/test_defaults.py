"""A committed snapshot of every component's version and defaults: no default changes without a new version.

A default that changes would let a run that was begun under the old one go on under the new, and would find artifacts of the old
one. So the component's `version` is raised with it. After a deliberate change, or for a new component or parameter, write
the snapshot anew: `python -m tests.config.test_defaults`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from advlab.config import components
from advlab.config.groups import COMPONENT_GROUPS
from advlab.config.identity import default_parameters
from advlab.store.sealed import canonical

SNAPSHOT = Path(__file__).with_name("defaults.json")
REMEDY = "then write the snapshot anew: python -m tests.config.test_defaults"


def packaged() -> dict[str, dict[str, Any]]:
    """`GROUP/NAME` -> version and defaults of the components that are files of this project."""
    found = {}
    for group in COMPONENT_GROUPS:
        targets = components.REGISTRIES[group.name]._targets
        for name, target in sorted(targets.items()):
            if name == "none" or not isinstance(target, str) or "torchvision_networks" in target:
                continue
            component = components.REGISTRIES[group.name].load(name)
            defaults = json.loads(canonical(default_parameters(component)))
            found[f"{group.name}/{name}"] = {"version": int(getattr(component, "version", 1)), "defaults": defaults}
    return found


def faults(kept: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    """What of the components of today must not be, beside the snapshot."""
    said = []
    for name in sorted({*kept, *now}):
        if name not in now:
            said.append(f"{name} is gone: runs of it cannot be resumed; if that is meant, {REMEDY}")
            continue
        if name not in kept:
            said.append(f"{name} is new: {REMEDY}")
            continue
        before, after = kept[name]["defaults"], now[name]["defaults"]
        if now[name]["version"] < kept[name]["version"]:
            said.append(f"{name}: its version fell")
        changed = sorted(key for key in before if key in after and before[key] != after[key])
        gone = sorted(key for key in before if key not in after)
        if changed and now[name]["version"] == kept[name]["version"]:
            said.append(f"{name}: the defaults of {', '.join(changed)} changed: raise its `version`, {REMEDY}")
        elif gone and now[name]["version"] == kept[name]["version"]:
            renaming = "name it in RENAMED_KEYS of config/migrations.py, or raise its `version`"
            said.append(f"{name}: {', '.join(gone)} is gone: {renaming}, {REMEDY}")
        elif now[name] != kept[name]:
            said.append(f"{name} has new parameters or a new version: {REMEDY}")
    return said


def test_no_default_changes_without_a_new_version() -> None:
    assert faults(json.loads(SNAPSHOT.read_text()), packaged()) == []


def test_the_rules() -> None:
    kept = {"attack/a": {"version": 1, "defaults": {"steps": 3}}}

    def said(version: int, **defaults: Any) -> str:
        return "; ".join(faults(kept, {"attack/a": {"version": version, "defaults": defaults}}))

    assert said(1, steps=3) == ""
    assert "raise its `version`" in said(1, steps=4)
    assert "raise its `version`" not in said(2, steps=4)
    assert "write the snapshot anew" in said(2, steps=4)
    assert "RENAMED_KEYS" in said(1, iterations=3)
    assert "write the snapshot anew" in said(1, steps=3, restarts=1)  # a new parameter raises nothing
    assert "raise" not in said(1, steps=3, restarts=1)
    assert "fell" in said(0, steps=3)
    assert "is gone" in "; ".join(faults(kept, {}))


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(packaged(), indent=1, sort_keys=True) + "\n")
