"""What an experiment is handed: the components as objects, the samples, and the means to measure in batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from advlab.artifacts import ArtifactStore

if TYPE_CHECKING:
    import torch

    from advlab.data.images import ImageData
    from advlab.models.classifier import Classifier
    from advlab.models.forward import Execution, Forward
    from advlab.probes.draws import Draws
    from advlab.probes.selection import Predictions
    from advlab.schema import Settings


@dataclass
class Context:
    """One run's objects; those that an experiment does not use are None.

    Attributes:
        settings: the checked configuration; `settings.probe`, `settings.attack` and so on are the parameters.
        artifacts: the cache of what is expensive.
        device: where everything runs.
        tick: progress callback (title, done, total).
        data: the measured split.
        classifier: the network.
        forward: makes its forwards; counts them and survives running out of memory.
        execution: batch size and memory format.
        predictions: gives the network's predictions on the first images of the order, more of them on request.
        prepared: what the experiment's `prepare` returned, from the plan when the run is resumed.
    """

    settings: Settings
    artifacts: ArtifactStore
    device: torch.device
    tick: Callable[[str, int, int], None]
    data: ImageData | None = None
    classifier: Classifier | None = None
    forward: Forward | None = None
    execution: Execution | None = None
    predictions: Callable[[int], Predictions] | None = None
    prepared: dict[str, Any] = field(default_factory=dict)

    def qualified(self) -> list[int]:
        """Indices of the samples that the probe asks for: correct, with more than its confidence (section 2.1).

        In a dry run nothing is predicted, and the first candidates stand for them.

        Raises:
            MeasurementError: none qualifies.
        """
        from advlab.probes.selection import order, select

        probe, run = self.settings.probe, self.settings.run
        assert self.data is not None
        assert self.classifier is not None
        if run.dry or self.predictions is None:
            return [int(i) for i in order(self.data, run.seed)[: probe.samples]]
        count = run.accuracy_images
        while True:  # more images than the accuracy takes are looked at only when too few of those qualify
            predictions = self.predictions(count)
            good = int((predictions.correct & (predictions.confidence > probe.confidence)).sum())
            if good >= probe.samples or len(predictions.indices) == len(self.data):
                return select(
                    predictions, samples=probe.samples, confidence=probe.confidence, name=self.classifier.name
                )
            count *= 2

    @cached_property
    def draws(self) -> Draws:
        """The noise of the probe on this dataset."""
        import math

        from advlab.probes.draws import Draws

        assert self.data is not None
        return Draws(
            seed=self.settings.run.seed,
            dataset=f"{self.data.name}/{self.data.split}",
            size=math.prod(self.data.shape),
            device=self.device,
            portable=self.settings.probe.noise == "portable",
        )
