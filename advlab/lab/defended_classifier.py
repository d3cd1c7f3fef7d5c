"""A network behind a defense, as the rest of advlab sees a network."""

from __future__ import annotations

from typing import Any

from advlab.models.forward import Forward


def defended_forward(forward: Forward, defense: Any) -> Forward:
    """Forwards of a network behind a defense."""
    raise NotImplementedError
