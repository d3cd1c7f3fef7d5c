"""What attacks know of a defended network, and nothing else of defenses."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Defended(Protocol):
    """A network behind a defense: a callable that gives logits like any other, and says how to differentiate it.

    Attributes:
        differentiable: its gradient is its own. Otherwise it is straight through what has none, as the network gives it in
            every backward pass (BPDA, Athalye et al. 2018, section 4.1).
        random: it draws. What is attacked is the mean of its logits over draws (EOT, Athalye et al. 2018, section 4.2).
        rejects: its logits have C + 1 columns for C classes, the last of which says that the image is rejected.
    """

    differentiable: bool
    random: bool
    rejects: bool

    def draw(self, x: Tensor, trial: int | Tensor = 0) -> Any:
        """The random numbers of each of the images (n, C, H, W) in a trial, or in the trial (n,) of each.

        They are a function of a seed, of the image's content and of the trial alone: not of the batch, the order of the
        images, their precision (float32 or float64) or the device.
        """

    def logits(self, x: Tensor, draw: Any = None) -> Tensor:
        """(n, K) logits with given random numbers; None: those of trial 0."""


def gradient_kind(defended: Defended) -> str:
    """How attacks differentiate the network, in the words of `AttackResult.facts`."""
    kind = "exact" if defended.differentiable else "straight-through"
    return f"{kind}, averaged over draws" if defended.random else kind
