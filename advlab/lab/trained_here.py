"""What experiments ask of a configuration whose networks they train themselves."""

from __future__ import annotations

from advlab.config.settings import Settings
from advlab.errors import ConfigError


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
