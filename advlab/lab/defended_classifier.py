"""A network behind a defense, as the rest of advlab sees a network: logits, features, a digest, and what attacks must know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from advlab.config.components import NoComponent
from advlab.config.identity import component_key
from advlab.data.images import ImageData, tensor_digest
from advlab.defenses import Defense
from advlab.defenses.defended_network import DefendedNetwork
from advlab.defenses.draws import Draw
from advlab.errors import ArgumentError, ConfigError
from advlab.lab.unfitted_defense import Unfitted
from advlab.models.classifier import Classifier, frozen
from advlab.models.inspection import behaviour_of
from advlab.store.artifacts import Arrays, ArtifactStore
from advlab.store.sealed import canonical, sha256


class DefendedClassifier(Classifier):
    """A classifier whose images pass a defense first; satisfies `advlab.attacks.defended.Defended`.

    Args:
        classifier: the network itself, which may be defended already.
        defense: that stands in front of it.
        fitted: what the defense was fitted to, if it is one that must be.

    Attributes:
        classifier: the network itself.
        defense: that stands in front of it.
        differentiable, random, rejects: of all defenses in front of the network.
        one_draw: whether all images meet the same random numbers (`hold_one_draw`).
        identity: of this defense, for digests.
        fitting: of a defense that must be fitted: whether that was kept from before, done now, or is not done yet (in a dry
            run, where the network is undefended).
    """

    is_defended = True
    fitting: Literal["", "kept", "done", "to do"] = ""

    def __init__(self, classifier: Classifier, defense: Defense, fitted: Mapping[str, Tensor] | None = None) -> None:
        nn.Module.__init__(self)
        self.classifier, self.defense = classifier, defense
        self.name, self.shape, self.classes = classifier.name, classifier.shape, classifier.classes
        self.mean, self.std, self.normalises = classifier.mean, classifier.std, classifier.normalises
        self.defended: DefendedNetwork = defense(classifier, fitted=fitted).to(classifier.device)
        self.differentiable, self.random = self.defended.differentiable, self.defended.random
        self.rejects = self.defended.rejects
        self.one_draw = False
        self.identity: dict[str, Any] = {
            "defense": component_key(defense),
            "fitted": {name: tensor_digest(tensor) for name, tensor in sorted((fitted or {}).items())},
        }
        self.head, self.writes_to_input = classifier.head, False
        with frozen(self), torch.no_grad():
            x = torch.rand((2, *self.shape), generator=torch.Generator().manual_seed(0)).to(self.device)
            self.behaviour = behaviour_of(self(x))

    @property
    def network(self) -> nn.Module:  # type: ignore[override]  # an attribute of the base
        """The network without defense and normalisation, whose modules the layers are."""
        return self.classifier.network

    @property
    def scale(self) -> Tensor:  # type: ignore[override]  # a buffer of the base
        """Of the network's own input normalisation."""
        return self.classifier.scale

    @property
    def shift(self) -> Tensor:  # type: ignore[override]  # likewise
        """See `scale`."""
        return self.classifier.shift

    def forward(self, x: Tensor) -> Tensor:
        """(N, classes) logits of (N, C, H, W) images in [0, 1], with the random numbers of trial 0; one more if it rejects."""
        return self.logits(x)

    def hold_one_draw(self) -> None:
        """From here on all images meet the same random numbers: the network is one function of the image, and not random."""
        if self.random:
            self.one_draw, self.random = True, False
            self.identity["one draw"] = True

    def draw(self, x: Tensor, trial: int | Tensor = 0) -> Draw:
        """See `Defended.draw`."""
        return self.defended.draw(x, trial)

    def logits(self, x: Tensor, draw: Draw | None = None) -> Tensor:
        """See `Defended.logits`."""
        if draw is None and self.one_draw:
            draw = self.defended.draw(torch.zeros_like(x))  # the draw of the black image
        return self.defended.logits(x, draw)

    def digest(self) -> str:
        """SHA-256 over the digest of the network itself, and what the defense is and was fitted to."""
        return sha256(canonical({"network": self.classifier.digest(), **self.identity}))


def defended_classifier(
    classifier: Classifier,
    defense: Defense | NoComponent,
    artifacts: ArtifactStore,
    train_data: Callable[[], ImageData],
) -> Classifier:
    """A classifier behind a defense, fitted first where it must be; itself where the defense is `none`.

    A dry run, whose artifacts are not written, fits nothing: there `Unfitted` stands for a defense whose fit is not kept.

    Args:
        classifier: the network.
        defense: a `Defense`, or `NoComponent`.
        artifacts: keeps what was fitted.
        train_data: loads the training split; called only to fit.

    Raises:
        ConfigError: the defense does not go with the network, or lacks something; says what to type.
    """
    if not isinstance(defense, Defense):
        return classifier
    try:
        if not defense.needs_fit:
            return DefendedClassifier(classifier, defense).eval()
        fitted, fresh = fitted_arrays(defense, classifier, artifacts, train_data())
        defended = DefendedClassifier(classifier, defense if fitted is not None else Unfitted(of=defense), fitted)
        defended.fitting = "to do" if fitted is None else "done" if fresh else "kept"
        return defended.eval()
    except ArgumentError as error:
        raise ConfigError(f"defense={defense.label}: {error}") from error


def fitted_arrays(
    defense: Defense, classifier: Classifier, artifacts: ArtifactStore, data: ImageData
) -> tuple[dict[str, Tensor] | None, bool]:
    """What a defense takes from the training images, made once and kept as an artifact, and whether it was made now.

    None in a dry run, where nothing is made, if there is none.
    """
    key = {
        "version": 1, "defense": component_key(defense), "weights": classifier.digest(), "behaviour": classifier.behaviour,
        "data": data.digest, "split": f"{data.name}/{data.split}",
    }  # fmt: skip
    if defense.fit_digest:
        key["fit"] = defense.fit_digest
    if not artifacts.writes and artifacts.find("defense", key) is None:
        return None, False

    def make() -> tuple[Arrays, dict[str, Any]]:
        fitted = defense.fit(data, classifier) or {}
        return {name: tensor.detach().cpu().numpy() for name, tensor in fitted.items()}, {}

    kept = artifacts.get("defense", key, make)
    return {name: torch.from_numpy(array).to(classifier.device) for name, array in kept.arrays.items()}, kept.fresh
