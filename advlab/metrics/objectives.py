"""What a network loses against its own output: the adversarial and the hard objective (barati2021, eqs 9 to 12)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from advlab.models.classifier import Classifier

OwnLoss = Literal["label", "entropy", "margin", "square"]
Which = Literal["adversarial", "hard"]


def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """(N,) -log softmax of the (N,) `labels`, from outputs (N, K).

    Computed from the others' logits less the label's, so that neither it nor its gradient rounds to zero where a network
    is sure.
    """
    outputs = at_least_single(outputs)
    own = labels[:, None]
    others = outputs.scatter(1, own, -torch.inf).logsumexp(1)
    return F.softplus(others - outputs.gather(1, own)[:, 0])


def at_least_single(outputs: Tensor) -> Tensor:
    """What autocast gives in 16 bits as float32; other types as they are."""
    return outputs.float() if outputs.dtype.itemsize < 4 else outputs


def own_loss(outputs: Tensor, loss: OwnLoss = "label") -> Tensor:
    """(N,) L(h(x), h(x)) of outputs h(x) (N, K): how far a hypothesis is from being sure of what it says.

    Args:
        outputs: logits, or the features that stand for hypotheses.
        loss: label, the cross-entropy against the output's own argmax, -log max softmax(h); entropy, the literal
            cross-entropy of softmax(h) with itself; margin, mean_k max(0, 1 - h_k^2) (eq 11); square, the same without
            max(0, .), as in eq 12, whose hypotheses lie in [-1, 1].

    Raises:
        ValueError: there is no such loss, or it needs more than one output.
    """
    outputs = at_least_single(outputs)
    if loss in ("margin", "square"):
        left = 1 - outputs.square()
        return (left.clamp_min(0) if loss == "margin" else left).mean(1)
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
        classifier: any network; its mode, its parameters and their gradients are left alone.
        x: in the units that the classifier takes.
        which: adversarial, the loss of the logits (eq 10); hard, the loss of the features, each neuron a hypothesis, as
            if the last layer were the identity (eq 9, section IV-B).
        loss: see `own_loss`.
        layer: of the features: see `Classifier.features`.

    Raises:
        ValueError: there is no such objective or loss.
        ModelError: there is no such layer.
    """
    if which == "adversarial":
        return own_loss(classifier(x), loss)
    if which != "hard":
        raise ValueError(f"which must be adversarial or hard, got {which!r}")
    return own_loss(classifier.features(x, layer)[1], loss)


def expected_loss(hypotheses: Iterable[Callable[[Tensor], Tensor]], x: Tensor, loss: OwnLoss = "label") -> Tensor:
    """(N,) mean over hypotheses h of L(h(x), h(x)): the expectation of eqs 9 and 11 by Monte Carlo.

    Args:
        hypotheses: drawn from H; each gives outputs (N, K).
        x: points.
        loss: see `own_loss`; margin is that of eq 11.

    Raises:
        ValueError: there is no hypothesis.
    """
    losses = [own_loss(h(x), loss) for h in hypotheses]
    if not losses:
        raise ValueError("the expectation needs at least one hypothesis")
    return torch.stack(losses).mean(0)
