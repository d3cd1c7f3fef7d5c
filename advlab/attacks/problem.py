"""What an algorithm is handed: the images to attack and the network's logits and gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from advlab.attacks.logits import margin, rounding_margin
from advlab.attacks.network import CountedNetwork, Linearisation
from advlab.attacks.rejection import own_classes


@dataclass(frozen=True)
class Problem:
    """The eligible images of one call; the network is in evaluation mode and its parameters take no gradients.

    An algorithm changes nothing in it but the counts of `network`.

    Attributes:
        network: images (n, C, H, W) in the units of `bounds` to logits (n, K), counted. Of a random network they are means
            over draws; of one that rejects, the label's is the larger of its own and the reject output's (`rejection`).
        x: (N, C, H, W) float, inside `bounds`.
        labels: (N,) int64 classes to leave: the predictions at `x` for attacks that need correct images (`needs_correct`),
            and for set-level ones.
        targets: (N,) int64 classes to reach, or None: any other class will do.
        logits: (N, K) at `x`.
        bounds: lowest and highest pixel value.
        first_gradients: (N, C, H, W) gradients at the images themselves, of `Attack.first_cotangent` . logits; None where
            the attack does not ask for them (`Attack.needs_first_gradient`), or there are no images.
        data: further tensors of some attacks: `basis`, `held_out`.
    """

    network: CountedNetwork
    x: Tensor
    labels: Tensor
    targets: Tensor | None
    logits: Tensor
    bounds: tuple[float, float]
    first_gradients: Tensor | None = None
    data: dict[str, Tensor] = field(default_factory=dict)

    @property
    def extent(self) -> float:
        """Length of `bounds`: the unit of every epsilon, step and norm among the hyperparameters."""
        return self.bounds[1] - self.bounds[0]

    @property
    def classes(self) -> int:
        """Number of classes, K; a reject output is one for attacks that see it (`AttackTraits.sees_rejection`) alone."""
        return self.logits.shape[1]

    @property
    def batch_size(self) -> int:
        """Images a forward, at most."""
        return self.network.batch_size

    def __len__(self) -> int:
        return len(self.x)

    def own_classes(self, index: Tensor | slice | None) -> Tensor | None:
        """(n,) classes that stand for a rejection: the labels, or another class than the target; None where none is needed."""
        if index is None or not self.network.folds:
            return None
        targets = None if self.targets is None else self.targets[index]
        return own_classes(self.labels[index], targets, self.classes)

    def forward(self, x: Tensor, index: Tensor | slice | None = None) -> Tensor:
        """(n, K) logits without a graph, in batches.

        Args:
            x: (n, C, H, W), may be longer than a batch, or empty.
            index: which images of the problem they were made from; None: these images themselves, which are not rejected.
        """
        return self.network.forward(x, self.own_classes(index)) if len(x) else x.new_empty(0, self.classes)

    def linearise(self, x: Tensor, index: Tensor | slice | None = None) -> Linearisation:
        """Logits and vector-Jacobian products at one batch of images, of at most `batch_size`; `index` as in `forward`."""
        return self.network.linearise(x, self.own_classes(index))

    def gradient(
        self, x: Tensor, cotangent: Callable[[Tensor, slice], Tensor], index: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (n, K) and gradients (n, C, H, W) of cotangent . logits, one product an image, in batches.

        Args:
            x: (n, C, H, W).
            cotangent: gives (b, K) from the detached logits (b, K) of a batch and the batch's slice of `x`.
            index: (n,) as in `forward`.
        """
        logits, gradients = [], []
        for start in range(0, len(x), self.batch_size):
            rows = slice(start, min(start + self.batch_size, len(x)))
            linearisation = self.linearise(x[rows], None if index is None else index[rows])
            logits.append(linearisation.logits)
            gradients.append(linearisation.vjp(cotangent(linearisation.logits, rows), last=True))
        if not logits:
            return x.new_empty(0, self.classes), torch.empty_like(x)
        return torch.cat(logits), torch.cat(gradients)

    def flipped(self, logits: Tensor, index: Tensor | slice = slice(None)) -> Tensor:
        """(n,) bool: which images are adversarial, judging by their logits, and would be in any other batch.

        Args:
            logits: (n, K) at the perturbed images.
            index: (n,) which images of the problem they were made from.
        """
        targets = None if self.targets is None else self.targets[index]
        return margin(logits, self.labels[index], targets) > rounding_margin(logits)
