"""What an experiment is handed: the components as objects, the samples, and the means to measure in batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from advlab.attacks import Attack
from advlab.attacks.external.plugin.params import PluginAttack
from advlab.config.settings import Settings
from advlab.errors import ConfigError
from advlab.store.artifacts import ArtifactStore

if TYPE_CHECKING:  # these load torch, and every experiment's module imports this one to be listed and described
    import torch
    from torch import Tensor

    from advlab.attacks.results import AttackResult
    from advlab.data.images import ImageData
    from advlab.models.classifier import Classifier
    from advlab.models.forward import Execution, Forward
    from advlab.probes.directions import AdversarialDirections
    from advlab.probes.draws import Draws
    from advlab.probes.selection import Predictions


T = TypeVar("T")


@dataclass
class ComputeCounts:
    """What attacks have cost in this process; passes are counted in images, and `Forward` counts its own.

    Attributes:
        forwards: images that went through the network.
        backwards: images whose gradients were taken.
        images: images that were attacked.
        seconds: time of the attacks.
        facts: what an attack on the whole set says of itself, such as rates on held-out images.
    """

    forwards: int = 0
    backwards: int = 0
    images: int = 0
    seconds: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Context:
    """One run's objects; those that an experiment does not use are None.

    Attributes:
        settings: the checked configuration; `settings.probe`, `settings.attack` and so on are the parameters.
        artifacts: the cache of what is expensive.
        device: where everything runs; None for an experiment without torch.
        report_progress: tells the user how far a task has come, as (title, steps done, steps in all).
        data: the measured split.
        classifier: the network.
        forward: evaluates the network; counts the images, and halves the batch when memory runs out.
        execution: batch size and memory format.
        predictions: gives the network's predictions on the first images of the order, more of them on request.
        prepared: what the experiment's `prepare` returned, from the plan when the run is resumed.
        load_network: makes forwards of another network on the same images, from that network's settings.
        load_split: gives another split of the run's dataset, such as train, on the CPU; loaded once.
        counts: what attacks took, for the manifest.
        facts: what the manifest says about device, data, weights and accuracy.
    """

    settings: Settings
    artifacts: ArtifactStore
    device: torch.device
    report_progress: Callable[[str, int, int], None]
    data: ImageData | None = None
    classifier: Classifier | None = None
    forward: Forward | None = None
    execution: Execution | None = None
    predictions: Callable[[int], Predictions] | None = None
    prepared: dict[str, Any] = field(default_factory=dict)
    load_network: Callable[[Settings], Forward] | None = None
    load_split: Callable[[str], ImageData] | None = None
    counts: ComputeCounts = field(default_factory=ComputeCounts)
    facts: dict[str, Any] = field(default_factory=dict)

    def count(self, *, forwards: int = 0, backwards: int = 0, images: int = 0, seconds: float = 0.0) -> None:
        """Add to what the manifest says was computed; what goes through `forward` is counted there."""
        self.counts.forwards += forwards
        self.counts.backwards += backwards
        self.counts.images += images
        self.counts.seconds += seconds

    def attack(
        self, attack: Attack, x: Tensor, labels: Tensor, *, targets: Tensor | None = None, **data: Tensor
    ) -> AttackResult:
        """Attack (N, C, H, W) images in [0, 1] in the run's precision and batches; counted and timed.

        Args:
            attack: its hyperparameters.
            x: images on the run's device.
            labels: (N,) classes.
            targets: (N,) classes to reach.
            data: further tensors that this attack takes, such as `held_out`.
        """
        result = self.in_batches(
            lambda batch: attack(
                self.attack_target, x, labels, targets=targets, bounds=(0.0, 1.0), batch_size=batch, **data
            ),
            images=len(x),
        )
        self.count(forwards=result.forwards, backwards=result.backwards)
        if attack.set_level:
            self.counts.facts |= result.facts
        return result

    def images_and_labels(self, samples: Sequence[int]) -> tuple[Tensor, Tensor]:
        """(n, C, H, W) images in [0, 1] and (n,) true classes of n samples of the measured split, on the run's device."""
        assert self.data is not None
        return self.data.images_and_labels(samples)

    @property
    def attack_target(self) -> Callable[[Tensor], Tensor]:
        """The network as attacks are given it: (n, C, H, W) images to (n, K) logits, differentiable, in the run's precision."""
        assert self.forward is not None
        # autocast belongs to the run's forwards, and not to the classifier
        bf16 = self.forward.execution.precision == "bf16"
        return self.forward.classifier_logits if bf16 else self.forward.classifier

    def in_batches(self, call: Callable[[int], T], *, images: int) -> T:
        """Calls `call` with a batch size, halved while memory runs out; adds the seconds, and `images`, to what the manifest
        says of attacks.

        Raises:
            ConfigError: an attack refuses its arguments.
        """
        assert self.forward is not None
        try:
            result, seconds = self.forward.in_batches(call)
        except ValueError as error:  # the message of an attack; of a user's own, the traceback says more
            if isinstance(self.settings.attack, PluginAttack):
                raise
            name = self.settings.choice_name("attack")
            raise ConfigError(f"attack={name}: {error}" if name != "none" else str(error)) from error
        self.count(images=images, seconds=seconds)
        return result

    def qualified(self) -> list[int]:
        """Indices of the samples that the probe asks for: correct, with more than its confidence (section 2.1).

        In a dry run nothing is predicted, and the first candidates stand for them.

        Raises:
            MeasurementError: none qualifies.
        """
        from advlab.probes.selection import order, select  # loads torch

        probe, run = self.settings.probe, self.settings.run
        assert self.data is not None
        assert self.classifier is not None
        if run.dry or self.predictions is None:
            return [int(i) for i in order(self.data, run.seed)[: probe.samples]]
        count = run.accuracy_images
        while True:  # more images than the accuracy takes are looked at only when too few of those qualify
            predictions = self.predictions(count)
            qualifying = int((predictions.correct & (predictions.confidence > probe.confidence)).sum())
            if qualifying >= probe.samples or len(predictions.indices) == len(self.data):
                return select(
                    predictions, samples=probe.samples, confidence=probe.confidence, name=self.classifier.name
                )
            count *= 2

    @cached_property
    def weights(self) -> str:
        """Digest of the network, for the keys of artifacts."""
        assert self.classifier is not None
        return self.classifier.digest()

    @cached_property
    def draws(self) -> Draws | AdversarialDirections:
        """The directions of the probe on this dataset: noise, or directions that lead out of the class."""
        from advlab.probes.directions import AdversarialDirections  # these load torch
        from advlab.probes.draws import Draws

        assert self.data is not None
        noise = Draws(
            seed=self.settings.run.seed,
            dataset=f"{self.data.name}/{self.data.split}",
            size=math.prod(self.data.shape),
            device=self.device,
            portable=self.settings.probe.noise == "portable",
        )
        if self.settings.probe.direction == "random":
            return noise
        assert self.execution is not None
        return AdversarialDirections(
            noise,
            self.settings.probe,
            self.data,
            self.attack_target,
            batch_size=self.execution.batch_size,
            count=self.count,
        )
