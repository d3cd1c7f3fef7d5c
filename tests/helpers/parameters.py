"""Parameters of components, for tests that make one of each."""

from __future__ import annotations

import dataclasses
from typing import Any


def required(component: Any) -> dict[str, str]:
    """A value for each parameter without a default, which are names."""
    return {
        field.name: "name"
        for field in dataclasses.fields(component)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
