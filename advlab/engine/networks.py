"""The networks of a run: its own, and others that an experiment shows the same images to."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from advlab.config.compatibility import check_compatibility
from advlab.config.settings import Settings
from advlab.data.images import ImageData
from advlab.engine.datasets import load_dataset
from advlab.lab.defended_classifier import DefendedClassifier, defended_classifier
from advlab.lab.network_loading import LoadedNetwork, load_classifier
from advlab.models.forward import Execution, Forward
from advlab.store.artifacts import ArtifactStore


def load_network(settings: Settings, data: ImageData, artifacts: ArtifactStore, device: torch.device) -> LoadedNetwork:
    """The network of `settings` for the images of `data`, trained first where it has no weights, behind its defense.

    Raises:
        ConfigError: the network has other classes than the data.
        ModelError: its weights are missing or damaged, or training failed.
    """
    run = settings.run
    train_data = partial(load_dataset, settings, artifacts, "train")
    loaded = load_classifier(
        settings.nodes["model"]["name"], settings.model, settings.recipe, shape=data.shape,
        train_data=train_data, artifacts=artifacts, device=device, seed=run.seed,
        download=run.download and not run.dry,
    )  # fmt: skip
    check_compatibility(data.name, data.shape, len(data.classes), settings, loaded.classifier.classes)
    classifier = defended_classifier(loaded.classifier, settings.defense, artifacts, train_data)
    if isinstance(classifier, DefendedClassifier) and settings.experiment.one_draw:
        classifier.hold_one_draw()
    return LoadedNetwork(classifier, loaded.origin)


class OtherNetworks:
    """Forwards of other networks on the run's images, each loaded or trained once, as for a run of its own.

    Args:
        data: the run's images.
        artifacts: the cache of what is expensive.
        execution: of the run's own network, whose batch size and precision the others share.
        facts: the manifest's; what each network is goes under `other_models`.
    """

    def __init__(self, data: ImageData, artifacts: ArtifactStore, execution: Execution, facts: dict[str, Any]) -> None:
        self._data, self._artifacts, self._facts = data, artifacts, facts
        self._execution = Execution(execution.batch_size, "contiguous", execution.precision)
        self._forwards: dict[str, Forward] = {}

    def __call__(self, settings: Settings) -> Forward:
        """Forwards of the network of `settings`; see `load_network` for what it raises."""
        if settings.digest not in self._forwards:
            loaded = load_network(settings, self._data, self._artifacts, self._data.device)
            self._forwards[settings.digest] = Forward(loaded.classifier, self._execution)
            self._facts.setdefault("other_models", []).append(
                {"name": loaded.classifier.name, "weights": loaded.classifier.digest(), "origin": loaded.origin}
            )
        return self._forwards[settings.digest]
