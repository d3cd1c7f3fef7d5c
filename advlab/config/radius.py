"""Whether the length of an attack is given where its norm is: a length is meant in one norm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from advlab.config import components
from advlab.errors import ConfigError


def radius_of_other_norm(epsilon: float, norm: str, other: str) -> str:
    """What is said of a default length that is meant in another norm, and what to type.

    >>> radius_of_other_norm(0.3, "l2", "linf")
    'epsilon=0.3 is meant in norm=linf: give a length in norm=l2 with it, such as epsilon=0.5 (usual on CIFAR-10)'
    """
    example = {"l2": "0.5", "linf": "0.0314"}.get(norm, "0.1")
    return (
        f"epsilon={epsilon:g} is meant in norm={other}: give a length in norm={norm} with it, such as epsilon={example} "
        "(usual on CIFAR-10)"
    )


def check_radius_is_typed(
    explicit: frozenset[str], attack: Mapping[str, Any], chosen: Callable[[], Mapping[str, Any]]
) -> None:
    """Refuse another norm than that of the YAML file whose `epsilon` stays: a length is meant in one norm.

    Args:
        explicit: the dotted keys that the user set.
        attack: the node of the attack, with what was typed.
        chosen: gives the node as its YAML file alone has it.

    Raises:
        ConfigError: says what to type.
    """
    if "attack.norm" not in explicit or {"attack.epsilon", "attack.name"} & explicit or not attack.get("epsilon"):
        return
    file_norm = chosen().get("norm") or getattr(components.REGISTRIES["attack"].load(attack["name"]), "norm", None)
    if file_norm and attack["norm"] != file_norm:
        raise ConfigError(f"attack: {radius_of_other_norm(attack['epsilon'], attack['norm'], file_norm)}")
