"""The networks of a run: its own, and others that an experiment shows the same images to."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from advlab.config.compatibility import check_compatibility
from advlab.config.settings import Settings
from advlab.data.images import ImageData
from advlab.engine.datasets import load_dataset
from advlab.lab.defended_classifier import DefendedClassifier, defended_classifier
from advlab.lab.network_loading import LoadedNetwork, load_classifier
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from advlab.models.loading_check import faults_of, refuse_or_allow
from advlab.probes.selection import order
from advlab.store.artifacts import ArtifactStore
from advlab.store.names import component_label

log = logging.getLogger(__name__)

CHECKED_AT_ONCE = 4  # images of a forward in the check


def load_network(
    settings: Settings, data: ImageData, artifacts: ArtifactStore, device: torch.device, allow: Sequence[str]
) -> LoadedNetwork:
    """The network of `settings` for the images of `data`, trained first where it has no weights, checked, behind its defense.

    Args:
        settings: of the run, or of a variant with another model.
        data: the images.
        artifacts: the cache of what is expensive.
        device: where the network arrives.
        allow: faults with which it is measured nonetheless (`model.allow` of the run).

    Raises:
        ConfigError: the network has other classes than the data.
        ModelError: its weights are missing or damaged, training failed, or it has a fault that is not allowed.
    """
    run = settings.run
    train_data = partial(load_dataset, settings, artifacts, "train")
    loaded = load_classifier(
        settings.nodes["model"]["name"], settings.model, settings.recipe, shape=data.shape,
        train_data=train_data, artifacts=artifacts, device=device, seed=run.seed,
        download=run.download and not run.dry, checkpoint_seconds=run.checkpoint_seconds,
    )  # fmt: skip
    loaded.classifier.name = component_label(settings.nodes, "model")  # as titles and paths have it: `timm-resnet18`
    check_compatibility(data.name, data.shape, len(data.classes), settings, loaded.classifier.classes)
    faults = loaded.faults | check_network(loaded.classifier, data, run.seed, run.precision)
    refuse_or_allow(loaded.classifier.name, faults, allow)
    for fault in faults.values():
        log.warning("%s is measured as it is: %s", loaded.classifier.name, fault)
    classifier = defended_classifier(loaded.classifier, settings.defense, artifacts, train_data)
    if isinstance(classifier, DefendedClassifier) and settings.experiment.one_draw:
        classifier.hold_one_draw()
    return LoadedNetwork(classifier, loaded.origin, faults)


def check_network(classifier: Classifier, data: ImageData, seed: int, precision: str) -> dict[str, str]:
    """The faults of a network (`advlab.models.loading_check`), seen on the first images of the run's order."""
    forward = Forward(classifier, Execution(CHECKED_AT_ONCE, "contiguous", precision))
    return faults_of(classifier, forward, data.images(torch.from_numpy(order(data, seed)[:CHECKED_AT_ONCE])))


class OtherNetworks:
    """Forwards of other networks on the run's images, each loaded or trained once, as for a run of its own.

    Args:
        data: the run's images.
        artifacts: the cache of what is expensive.
        execution: of the run's own network, whose batch size and precision the others share.
        facts: the manifest's; what each network is goes under `other_models`.
        allow: faults with which they are measured nonetheless (`model.allow` of the run).
    """

    def __init__(
        self,
        data: ImageData,
        artifacts: ArtifactStore,
        execution: Execution,
        facts: dict[str, Any],
        allow: Sequence[str] = (),
    ) -> None:
        self._data, self._artifacts, self._facts, self._allow = data, artifacts, facts, allow
        self._execution = Execution(execution.batch_size, "contiguous", execution.precision)
        self._forwards: dict[str, Forward] = {}

    def __call__(self, settings: Settings) -> Forward:
        """Forwards of the network of `settings`; see `load_network` for what it raises."""
        if settings.digest not in self._forwards:
            loaded = load_network(settings, self._data, self._artifacts, self._data.device, self._allow)
            self._forwards[settings.digest] = Forward(loaded.classifier, self._execution)
            self._facts.setdefault("other_models", []).append(
                {
                    "name": loaded.classifier.name,
                    "weights": loaded.classifier.digest(),
                    "origin": loaded.origin,
                    **({"faults": loaded.faults} if loaded.faults else {}),
                }
            )
        return self._forwards[settings.digest]
