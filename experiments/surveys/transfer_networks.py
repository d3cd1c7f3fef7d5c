"""Other networks that adversarial images are shown to: a choice of `model=` as the settings of a run of its own."""

from __future__ import annotations

from typing import Any

from advlab.errors import AdvlabError, ConfigError


def victim_settings(settings: Any, choice: str) -> Any:
    """The settings of the run with another network, as `model=CHOICE` gives it with its recipe.

    Packaged YAML files, torchvision's classifiers and plug-ins are known; a YAML file of `--config-dir` is not.

    Args:
        settings: of the run; its experiment has a parameter `transfer`.
        choice: the other network.

    Raises:
        ConfigError: there is no such model, or it does not take the images or has other classes.
    """
    from advlab.config.choices import default_choice, read_choice
    from advlab.config.settings import resolve
    from advlab.engine.compatibility import check_compatibility

    recipe = default_choice("model", choice, "recipe")
    nodes = {
        **settings.nodes,
        "model": read_choice("model", choice) or {"name": choice},
        "recipe": read_choice("recipe", recipe) if recipe else {"name": "none"},
        "experiment": {**settings.nodes["experiment"], "transfer": []},
    }
    try:
        victim = resolve(nodes)
        if hasattr(settings.model, "shape"):
            shape = settings.dataset.shape(settings.model.shape)
            check_compatibility(nodes["dataset"]["name"], shape, settings.dataset.class_count, victim)
    except AdvlabError as error:
        raise ConfigError(f"experiment.transfer={choice}: {error}") from error
    return victim
