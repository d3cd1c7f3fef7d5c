"""Versions of the attacks of a run: a run that one version began is not finished by another. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advlab.attacks.traits import AttackTraits
from advlab.errors import ResultError

KEY = "attack_versions"  # among the facts that a run prepares


def attack_versions(attacks: Mapping[str, AttackTraits]) -> dict[str, Any]:
    """What the plan of a run says of the attacks, by name: the versions that are not 1; nothing where all are."""
    versions = {name: attack.version for name, attack in attacks.items() if attack.version != 1}
    return {KEY: versions} if versions else {}


def check_attack_versions(prepared: Mapping[str, Any], attacks: Mapping[str, AttackTraits]) -> None:
    """Refuse to go on with a run that other versions of its attacks began: their images would not be of one kind.

    Args:
        prepared: the facts in the plan of the run, with those of `attack_versions`.
        attacks: the attacks of the run, by name.

    Raises:
        ResultError: names the attack and both versions.
    """
    begun = prepared.get(KEY, {})
    for name, attack in attacks.items():
        version = begun.get(name, 1)
        if version != attack.version:
            raise ResultError(
                f"the run was begun with another version of the attack {name} ({version}, it is {attack.version} now), which "
                "gives other images: start a new run"
            )
