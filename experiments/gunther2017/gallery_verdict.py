"""Which open set network, or other defense, says below each image of both galleries what it makes of it (figure 1)."""

from __future__ import annotations

from advlab.errors import ArgumentError, ConfigError
from advlab.lab import Settings

UNKNOWN = "unknown"  # what a rejected image is, as in table 3


def check_one(verdicts: list[str]) -> None:
    """Refuse several names: there is room for one verdict below an image.

    Raises:
        ArgumentError: there are several.
    """
    if len(verdicts) > 1:
        raise ArgumentError(f"verdicts must name one defense at most, such as [openmax], got {verdicts}")


def check_verdicts(settings: Settings) -> None:
    """Refuse `none`, which says what stands there anyway.

    Raises:
        ConfigError: it is named.
    """
    if "none" in settings.lists["verdicts"]:
        raise ConfigError(
            "experiment.verdicts=none: the network's own classes are shown anyway: type experiment.verdicts=[openmax]"
        )
