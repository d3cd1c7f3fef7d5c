"""The result of an algorithm for the eligible images, and the result that a user gets for all images."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from advlab.attacks.status import Status


@dataclass(frozen=True)
class AlgorithmResult:
    """What an algorithm gives back for the eligible images.

    Attributes:
        adv: (N, C, H, W) the image to return for each, adversarial or not.
        status: (N,) int64 of `Status`. A SUCCESS is a claim: `interface.checked_result` classifies `adv` once more.
        steps: (N,) int64 iterations.
        epsilon: (N,) the weight w of the direction in x + w eta, in units of the bounds' length; NaN where there is none.
            None: the attack has no such weight.
        universal: (C, H, W) the one perturbation of a set-level attack.
        facts: further numbers of the whole call, for tables and benchmarks.
    """

    adv: Tensor
    status: Tensor
    steps: Tensor
    epsilon: Tensor | None = None
    universal: Tensor | None = None
    facts: dict[str, Any] | None = None


@dataclass(frozen=True)
class AttackResult:
    """One attack on N images; the tensors live where the inputs do.

    Attributes:
        adv: (N, C, H, W) images in the inputs' precision; ineligible ones as they were.
        success: (N,) bool: eligible, and `adv` is classified as the attack wants. Checked on `adv` itself; of a random
            network in the mean over draws that the attack has not seen.
        eligible: (N,) bool: classified as its label before the attack (targeted: and the target is another class), and not
            rejected. Of a random network, in the mean over the attack's draws and over those that judge.
        status: (N,) int64 of `Status`, in words `status_names`.
        saturated: (N,) bool: at the image itself the label's probability is 1 in float32: there softmax - one-hot, the gradient
            of the cross-entropy as most code computes it, loses the label (`arithmetic=float32`).
        rejected: (N,) bool: `adv` is rejected by a network with a reject output: neither correct nor fooled.
        prediction: (N,) int64 class of `adv`; where it is rejected, the number of classes.
        margin: (N,) by how much in logits (see `logits.margin`); above 0 where the attack succeeded, except that fooling
            images may reach a level of at most one half without it.
        distance: (N,) norm of adv - inputs in the attack's own norm, in units of the bounds' length.
        steps: (N,) int64 iterations.
        epsilon: (N,) weight of the direction, NaN where there is none.
        forwards, backwards: images that went through the network and back, in the whole call with the checks before and
            after; each draw of a random network counts.
        universal: (C, H, W) of a set-level attack.
        facts: further numbers of the whole call; `defense` says of a defended network whether it is differentiable, random
            and rejects, over how many draws the attack averaged, and how it differentiated (`defended.gradient_kind`).
    """

    adv: Tensor
    success: Tensor
    eligible: Tensor
    status: Tensor
    saturated: Tensor
    rejected: Tensor
    prediction: Tensor
    margin: Tensor
    distance: Tensor
    steps: Tensor
    epsilon: Tensor
    forwards: int
    backwards: int
    universal: Tensor | None
    facts: dict[str, Any]

    @property
    def status_names(self) -> list[str]:
        """How the attack on each image ended, in words: `SUCCESS`, `MAX_ITER` and the other names of `Status`."""
        return [Status(value).name for value in self.status.tolist()]

    def __str__(self) -> str:
        """What `print` shows: how many images ended how, and how far the successful ones are."""
        counts = ", ".join(f"{count} {name}" for name, count in Counter(self.status_names).most_common())
        lengths = self.distance[self.success]
        median = f"; median distance of the successful {float(lengths.median()):.4g}" if len(lengths) else ""
        return f"{len(self.status)} images: {counts or 'none'}{median}"
