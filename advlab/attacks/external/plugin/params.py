"""What the attack that a user registers declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from advlab.attacks.base import Attack, Norm


@dataclass(frozen=True, kw_only=True)
class PluginAttack(Attack):
    """A user's own attack, registered by a plug-in (`advlab.attack`), which derives a class for its traits.

    Attributes:
        function: takes a model, images (n, C, H, W) and labels (n,), and returns images; not archived.
        passes: which of `targets` and `bounds` it takes besides.
        norm: in which `distance` is given.
        options: its own keyword parameters.
    """

    function: ClassVar[Callable[..., Any]]
    passes: ClassVar[frozenset[str]] = frozenset()
    norm: ClassVar[Norm] = "l2"
    options: dict[str, Any] = field(default_factory=dict)

    def archived(self) -> dict[str, Any]:
        """What is archived."""
        return dict(self.options)
