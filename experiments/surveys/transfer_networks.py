"""The other networks of a survey, to which adversarial images may transfer: settings of `model=CHOICE` for each."""

from __future__ import annotations

from typing import Any

from advlab.config.choices import default_choice, read_choice
from advlab.config.settings import resolve
from advlab.engine.compatibility import check_compatibility
from advlab.errors import AdvlabError, ConfigError


def transfer_settings(settings: Any, choice: str) -> Any:
    """The settings of the run with another network in place of its own, as `model=CHOICE` gives it with its recipe.

    Packaged YAML files, torchvision's classifiers and plug-ins are known; a YAML file of `--config-dir` is not.

    Args:
        settings: of the run; its experiment has a parameter `transfer`.
        choice: the other network.

    Raises:
        ConfigError: there is no such model, or it does not take the images or has other classes.
    """
    recipe = default_choice("model", choice, "recipe")
    nodes = {
        **settings.nodes,
        "model": read_choice("model", choice) or {"name": choice},
        "recipe": read_choice("recipe", recipe) if recipe else {"name": "none"},
        "experiment": {**settings.nodes["experiment"], "transfer": []},
    }
    try:
        other = resolve(nodes)
        if hasattr(settings.model, "shape"):
            shape = settings.dataset.shape(settings.model.shape)
            check_compatibility(nodes["dataset"]["name"], shape, settings.dataset.class_count, other)
    except AdvlabError as error:
        raise ConfigError(f"experiment.transfer={choice}: {error}") from error
    return other
