"""Losses of a network against its own output: the adversarial and the hard objective (barati2021, eqs 9 to 12)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from torch import Tensor

from advlab.metrics.loss_gradient import cross_entropy
from advlab.models.classifier import Classifier

OwnLoss = Literal["label", "entropy", "margin", "square"]
Which = Literal["adversarial", "hard"]


def _at_least_float32(outputs: Tensor) -> Tensor:
    """16-bit outputs, as autocast gives them, in float32; other types as they are."""
    return outputs.float() if outputs.dtype.itemsize < 4 else outputs


def own_loss(outputs: Tensor, loss: OwnLoss = "label") -> Tensor:
    """(N,) L(h(x), h(x)) of outputs h(x) (N, K): how far a hypothesis h is from being certain of its own answer.

    Args:
        outputs: (N, K) logits, or the features that stand for hypotheses.
        loss: label, the cross-entropy against the output's own argmax, -log max softmax(h); entropy, the literal
            cross-entropy of softmax(h) with itself; margin, mean_k max(0, 1 - h_k^2) (eq 11); square, the same without
            max(0, .), as in eq 12, whose hypotheses lie in [-1, 1].

    Raises:
        ValueError: there is no such loss, or it needs more than one output.

    Examples:
        An output that cannot decide between two classes, and one that can:

        >>> outputs = torch.tensor([[0.0, 0.0], [1.0, -1.0]], dtype=torch.float64)
        >>> own_loss(outputs, "label").exp().round(decimals=4).tolist()  # 1 / max softmax: 2, and 1 + e^-2
        [2.0, 1.1353]
        >>> own_loss(outputs, "margin").tolist()
        [1.0, 0.0]
    """
    outputs = _at_least_float32(outputs)
    if loss in ("margin", "square"):
        squares_left = 1 - outputs.square()
        return (squares_left.clamp_min(0) if loss == "margin" else squares_left).mean(1)
    if loss not in ("label", "entropy"):
        raise ValueError(f"loss must be label, entropy, margin or square, got {loss!r}")
    if outputs.shape[1] < 2:
        raise ValueError(f"the softmax of a single output is always 1: loss={loss} needs at least two, or type margin")
    if loss == "label":
        return cross_entropy(outputs, outputs.detach().argmax(1))
    log_p = outputs.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1)


def objective(
    classifier: Classifier, x: Tensor, which: Which, *, loss: OwnLoss = "label", layer: str = "auto"
) -> Tensor:
    """(N,) objective of images or points x (N, C, H, W), to be maximised over x.

    Args:
        classifier: any network; its mode, its parameters and their gradients stay as they are.
        x: (N, C, H, W), in the units that the classifier takes.
        which: adversarial, the loss of the logits (eq 10); hard, the loss of the features, each neuron a hypothesis, as
            if the last layer were the identity (eq 9, section IV-B).
        loss: as in `own_loss`.
        layer: whose features are taken, as in `Classifier.features`.

    Raises:
        ValueError: there is no such objective or loss.
        ModelError: there is no such layer.

    Examples:
        A linear network without bias: at x = 0 its logits say nothing, so that the adversarial objective is log(2).

        >>> from torch import nn
        >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
        >>> classifier = Classifier(linear, name="linear", shape=(3, 1, 1), mean=None, std=None)
        >>> objective(classifier, torch.zeros(1, 3, 1, 1), "adversarial").exp().round(decimals=4).tolist()
        [2.0]
    """
    if which == "adversarial":
        return own_loss(classifier(x), loss)
    if which != "hard":
        raise ValueError(f"which must be adversarial or hard, got {which!r}")
    return own_loss(classifier.features(x, layer)[1], loss)


def expected_loss(hypotheses: Iterable[Callable[[Tensor], Tensor]], x: Tensor, loss: OwnLoss = "label") -> Tensor:
    """(N,) mean over hypotheses h of L(h(x), h(x)): the expectation of eqs 9 and 11 by Monte Carlo.

    Args:
        hypotheses: functions drawn from H; each gives outputs (N, K).
        x: N points.
        loss: as in `own_loss`; margin is that of eq 11.

    Raises:
        ValueError: there is no hypothesis.

    Examples:
        Two hypotheses, of which one is certain at x = 1 and the other is not:

        >>> expected_loss([lambda x: x, lambda x: 0 * x], torch.tensor([[1.0]]), "margin").tolist()
        [0.5]
    """
    losses = [own_loss(h(x), loss) for h in hypotheses]
    if not losses:
        raise ValueError("the expectation needs at least one hypothesis")
    return torch.stack(losses).mean(0)
