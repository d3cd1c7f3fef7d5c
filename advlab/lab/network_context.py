"""What experiments are handed that measure a network: it, its forwards in batches, attacks on it, and its samples.

Longer than other files: one class, of which authors read every method with what it takes and raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from advlab.attacks import Attack
from advlab.config.components import NoComponent
from advlab.config.identity import component_key
from advlab.defenses import Defense
from advlab.errors import ArgumentError
from advlab.lab.data_context import DataContext
from advlab.lab.run_context import joined
from advlab.store.sealed import canonical

if TYPE_CHECKING:  # these load torch, and every experiment's module imports this one to be listed and described
    from torch import Tensor

    from advlab.attacks.results import AttackResult
    from advlab.config.settings import Settings
    from advlab.data.images import ImageData
    from advlab.models.classifier import Classifier
    from advlab.models.forward import Execution, Forward
    from advlab.probes.directions import AdversarialDirections
    from advlab.probes.draws import Draws
    from advlab.probes.selection import Predictions

T = TypeVar("T")
LogitsFunction = Callable[["Tensor"], "Tensor"]


@dataclass(kw_only=True)
class NetworkContext(DataContext):
    """A run that measures a network on the images of a dataset.

    Attributes:
        forward: evaluates the network; counts the images, and halves the batch when memory runs out.
        predictions: gives the network's predictions on the first images of the order, more of them on request.
        load_network: makes forwards of another network on the same images, from that network's settings.
        defended_networks: forwards that `defended` has made, by what is behind the defense and by the defense.
        others: forwards of other networks, which the manifest counts too.
    """

    forward: Forward
    predictions: Callable[[int], Predictions]
    load_network: Callable[[Settings], Forward]
    defended_networks: dict[tuple[int, bytes], Forward] = field(default_factory=dict)
    others: list[Forward] = field(default_factory=list)

    @property
    def classifier(self) -> Classifier:
        """The network, with its defense if it has one."""
        return self.forward.classifier

    @property
    def execution(self) -> Execution:
        """Batch size and memory format."""
        return self.forward.execution

    def listed_networks(self, parameter: str) -> dict[str, Forward]:
        """Name -> forwards of each network that a parameter of the experiment names (`ChoicesOf("model")`).

        Raises:
            ModelError: one cannot be loaded or trained.
        """
        undefended = {"defense": {"name": "none"}}  # the run's defense is in front of its own network alone
        entries = self.settings.lists[parameter].items()
        return {
            name: self.counted(self.load_network(self.settings.variant(undefended | entry.nodes)))
            for name, entry in entries
        }

    def defended(self, defense: Defense | NoComponent, network: Forward | None = None) -> Forward:
        """Forwards of a network behind a defense; `none` is the network itself.

        Args:
            defense: such as one that `listed` gives, or an `advlab.defenses.Defense`; in front of what the network has already.
            network: another than the run's.

        Raises:
            ConfigError: the defense does not go with the network, or lacks something.
        """
        from advlab.lab.defended_classifier import defended_classifier  # these load torch
        from advlab.models.forward import Forward

        if isinstance(defense, NoComponent):
            return network or self.forward
        if not isinstance(defense, Defense):
            raise TypeError(f"defense must be an advlab.defenses.Defense, as ctx.listed gives it, got {defense!r}")
        behind = network or self.forward
        key = (id(behind), canonical(component_key(defense)))
        if key not in self.defended_networks:
            classifier = defended_classifier(
                behind.classifier, defense, self.artifacts, partial(self.load_split, "train")
            )
            self.defended_networks[key] = self.counted(Forward(classifier, behind.execution))
        return self.defended_networks[key]

    def forward_of(self, classifier: Classifier) -> Forward:
        """Forwards of another network, such as a fine-tuned one, in the run's precision and batches."""
        from advlab.models.forward import Execution, Forward  # loads torch

        own = self.forward.execution
        return self.counted(Forward(classifier, Execution(own.batch_size, "contiguous", own.precision)))

    def counted(self, forward: Forward) -> Forward:
        """The same forwards, whose images count in the manifest from here on."""
        if not any(other is forward for other in self.others):
            self.others.append(forward)
        return forward

    def attack(
        self,
        attack: Attack,
        x: Tensor,
        labels: Tensor,
        *,
        network: Forward | LogitsFunction | None = None,
        targets: Tensor | None = None,
        **data: Tensor,
    ) -> AttackResult:
        """Attack (N, C, H, W) images in [0, 1] in the run's precision and batches; counted and timed.

        Args:
            attack: its hyperparameters.
            x: images on the run's device.
            labels: (N,) classes.
            network: the attacked one; None: the run's. Forwards of another (`load_network`, `defended`, a fine-tuned one)
                are taken in their own batches, a module or a function in those of the run's network.
            targets: (N,) classes to reach.
            data: further tensors that this attack takes, such as `held_out`.
        """
        from advlab.models.forward import Forward  # loads torch

        forward = network if isinstance(network, Forward) else self.forward
        target = forward.attack_target if network is None or network is forward else network
        assert not isinstance(target, Forward)
        result = self.in_batches(
            lambda batch: attack(target, x, labels, targets=targets, bounds=(0.0, 1.0), batch_size=batch, **data),
            images=len(x),
            forward=forward,
        )
        self.count(forwards=result.forwards, backwards=result.backwards)
        self.counts.facts |= {key: fact for key, fact in result.facts.items() if attack.set_level or key == "defense"}
        return result

    @property
    def attack_target(self) -> LogitsFunction:
        """The network as attacks are given it: (n, C, H, W) images to (n, K) logits, differentiable, in the run's precision."""
        return self.forward.attack_target

    def in_batches(self, call: Callable[[int], T], *, images: int, forward: Forward | None = None) -> T:
        """Calls `call` with a batch size, halved while memory runs out; adds the seconds, and `images`, to what the manifest
        says of attacks.

        Args:
            call: works on any number of images, at most so many at a time.
            images: that are attacked.
            forward: of the network whose batch size is taken; None: the run's.

        Raises:
            ConfigError: an attack refuses its arguments.
        """
        try:
            result, seconds = (forward or self.forward).in_batches(call)
        except ArgumentError as error:
            raise self.argument_error(error) from error
        self.count(images=images, seconds=seconds)
        return result

    def features(
        self, x: Tensor, layers: Sequence[str], *, option: str, forward: Forward | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits (N, K) and the features (N, R) of each layer, float32, from one forward of (N, C, H, W) images.

        Args:
            x: images in [0, 1] on the run's device; more than a batch may take are taken in parts.
            layers: names of modules, or "auto" (see `Classifier.layer_features`).
            option: what names the layers, such as `experiment.layers`, for errors.
            forward: of another network; None: the run's.

        Raises:
            ModelError: there is no such layer, or it gives no tensor with a row for each image.
        """
        return (forward or self.forward).layer_features(x, layers, option=option)

    def qualified(self) -> list[int]:
        """Indices of the samples that the probe asks for: correct, with more than its confidence (section 2.1).

        In a dry run nothing is predicted, and the first candidates stand for them.

        Raises:
            MeasurementError: none qualifies.
        """
        from advlab.probes.selection import first_qualified  # loads torch

        probe, run = self.settings.probe, self.settings.run
        if run.dry:
            return self.order(probe.samples)
        return first_qualified(
            self.predictions, samples=probe.samples, confidence=probe.confidence, name=self.classifier.name,
            first=run.accuracy_images, images=len(self.data),
        )  # fmt: skip

    @cached_property
    def weights(self) -> str:
        """Digest of the network, for the keys of artifacts."""
        return self.classifier.digest()

    def key(
        self, *, images: ImageData | None = None, network: Classifier | None = None, **fields: Any
    ) -> dict[str, Any]:
        """The key of an artifact made with a network: the fields (see `RunContext.key`), and digests of weights and images.

        Args:
            images: None: the measured split.
            network: such as a fine-tuned one; None: the run's.
            fields: what else determines the artifact.
        """
        weights = self.weights if network is None else network.digest()
        behaviour = (network or self.classifier).behaviour
        own = {"weights": weights, "behaviour": behaviour, "precision": self.settings.run.precision}
        own |= (network or self.classifier).head_key
        return joined(super().key(images=images, **fields), own)

    @cached_property
    def draws(self) -> Draws | AdversarialDirections:
        """The directions of the probe on this dataset: noise, or directions that lead out of the class."""
        from advlab.probes.directions import AdversarialDirections  # these load torch
        from advlab.probes.draws import Draws

        noise = Draws(
            seed=self.settings.run.seed,
            dataset=f"{self.data.name}/{self.data.split}",
            size=self.values_per_image,
            device=self.device,
            portable=self.settings.probe.noise == "portable",
        )
        if self.settings.probe.direction == "random":
            return noise
        return AdversarialDirections(
            noise,
            self.settings.probe,
            self.data,
            self.attack_target,
            batch_size=self.execution.batch_size,
            count=self.count,
        )
