"""Two classifiers of points: multinomial logistic regression by L-BFGS, and one nearest neighbour."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

DISTANCES = 1 << 24  # between test and training points that are in memory at once


class LinearProbe(NamedTuple):
    """A trained linear classifier on training and test points.

    Attributes:
        train_predictions: (N,) classes of the training points.
        predictions: (M,) classes of the test points.
        objective: mean cross-entropy plus the penalty, of the training points.
        gradient: largest absolute derivative of it where training ended.
    """

    train_predictions: Tensor
    predictions: Tensor
    objective: float
    gradient: float


def linear_probe(
    train: Tensor, labels: Tensor, test: Tensor, *, classes: int, penalty: float, steps: int
) -> LinearProbe:
    """Multinomial logistic regression with the objective mean cross-entropy + penalty / 2 ||W||^2; biases are free.

    Features are brought to mean 0 and deviation 1 over the training points; constant ones stay 0. Where there are more
    dimensions than training points, both sets are first projected onto an orthonormal basis of the span of the training
    points: the best weights lie in it, so that the classifier stays the same.

    Args:
        train: (N, D) float64 training points.
        labels: (N,) their classes.
        test: (M, D) float64.
        classes: how many there are.
        penalty: of the weights; scikit-learn's C is 1 / (N penalty).
        steps: of L-BFGS, at most.
    """
    mean, deviation = train.mean(0), train.std(0, correction=0)
    deviation = torch.where(deviation > 0, deviation, 1.0)
    train, test = (train - mean) / deviation, (test - mean) / deviation
    if train.shape[1] > len(train):
        basis = torch.linalg.qr(train.T)[0]
        train, test = train @ basis, test @ basis
    weights = train.new_zeros(train.shape[1] + 1, classes).requires_grad_()  # the last row: biases
    optimizer = torch.optim.LBFGS(
        [weights], max_iter=steps, tolerance_grad=1e-7, tolerance_change=1e-12, history_size=10,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def objective() -> Tensor:
        optimizer.zero_grad()
        logits = train @ weights[:-1] + weights[-1]
        loss = F.cross_entropy(logits, labels) + penalty / 2 * weights[:-1].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.inference_mode(False), torch.enable_grad():
        optimizer.step(objective)  # type: ignore[no-untyped-call]
        final = float(objective().detach())
    assert weights.grad is not None
    trained = weights.detach()
    predictions = [(points @ trained[:-1] + trained[-1]).argmax(1) for points in (train, test)]
    return LinearProbe(predictions[0], predictions[1], final, float(weights.grad.abs().max()))


def nearest_neighbour(train: Tensor, labels: Tensor, test: Tensor) -> Tensor:
    """(M,) classes of the nearest training points, by the Euclidean distance.

    Args:
        train: (N, D) float64 training points.
        labels: (N,) their classes.
        test: (M, D) float64.
    """
    centre = train.mean(0)  # near the origin, little is lost in the difference of squares
    train, test = train - centre, test - centre
    squares = train.square().sum(1)
    batch = max(1, DISTANCES // len(train))
    # ||a||^2 is the same for all candidates of a
    nearest = [(squares - 2 * points @ train.T).argmin(1) for points in test.split(batch)]
    return labels[torch.cat(nearest)]
