"""What experiments that train their networks themselves ask of a configuration, and of each network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from advlab.config.settings import Settings
from advlab.errors import ConfigError
from advlab.lab.data_context import DataContext

if TYPE_CHECKING:  # loads torch, and experiments are declared without it
    from advlab.models.forward import Forward

IMAGES_AT_ONCE = 500


def check_trains(settings: Settings, experiment: str, *, recipe: str) -> None:
    """Refuse a network that has weights, or no recipe to train it.

    Args:
        settings: of the run.
        experiment: its name, for the message.
        recipe: one that fits, for the message.

    Raises:
        ConfigError: says what to type.
    """
    name = settings.nodes["model"]["name"]
    if not settings.model.trainable or settings.model.checkpoint:
        raise ConfigError(f"{experiment} trains its networks, {name} has weights: choose another model")
    if not getattr(settings.recipe, "trains", False):
        raise ConfigError(f"recipe=none: {experiment} needs a recipe to train {name}: type recipe={recipe}")


def count_correct(ctx: DataContext, forward: Forward, samples: Sequence[int]) -> int:
    """How many of these samples of the measured split a network classifies correctly."""
    correct = 0
    for start in range(0, len(samples), IMAGES_AT_ONCE):
        x, labels = ctx.images_and_labels(samples[start : start + IMAGES_AT_ONCE])
        correct += int((forward(x).argmax(1) == labels).sum())
    return correct
