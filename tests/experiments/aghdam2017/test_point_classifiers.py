"""The linear probe and the nearest neighbour of `separability` against scikit-learn, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from advlab.experiments.aghdam2017 import point_classifiers
from advlab.experiments.aghdam2017.point_classifiers import linear_probe, nearest_neighbour
from torch import Tensor

CLASSES = 4


def points(count: int, dimensions: int, seed: int) -> tuple[Tensor, Tensor]:
    """Overlapping clusters of very different scales, with one feature that is constant."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(CLASSES, size=count)
    centres = np.random.default_rng(99).normal(size=(CLASSES, dimensions))
    x = (centres[labels] + 1.5 * rng.normal(size=(count, dimensions))) * np.geomspace(0.01, 100, dimensions) + 7
    x[:, 0] = 3
    return torch.from_numpy(x), torch.from_numpy(labels)


@pytest.mark.parametrize("dimensions", [12, 150])  # fewer and more than the training points
@pytest.mark.parametrize("penalty", [1e-2, 1e-3])
def test_the_linear_probe_is_scikit_learns(dimensions: int, penalty: float) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    (train, labels), (test, _) = points(120, dimensions, 0), points(400, dimensions, 1)
    found = linear_probe(train, labels, test, classes=CLASSES, penalty=penalty, steps=2000)
    scaler = StandardScaler().fit(train.numpy())
    reference = LogisticRegression(C=1 / (len(train) * penalty), tol=1e-10, max_iter=10_000)
    reference.fit(scaler.transform(train.numpy()), labels.numpy())
    probabilities = reference.predict_proba(scaler.transform(train.numpy()))
    objective = -np.log(probabilities[np.arange(120), labels]).mean() + penalty / 2 * (reference.coef_**2).sum()
    assert found.objective == pytest.approx(objective, rel=1e-6)
    assert found.gradient < 1e-5
    assert found.train_predictions.tolist() == reference.predict(scaler.transform(train.numpy())).tolist()
    assert found.predictions.tolist() == reference.predict(scaler.transform(test.numpy())).tolist()


def test_few_steps_say_that_they_did_not_arrive() -> None:
    train, labels = points(120, 12, 0)
    assert linear_probe(train, labels, train, classes=CLASSES, penalty=1e-3, steps=2).gradient > 1e-4


@pytest.mark.parametrize("distances", [1 << 24, 500], ids=["one batch", "batches of four"])
def test_the_nearest_neighbour_is_scikit_learns(distances: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    monkeypatch.setattr(point_classifiers, "DISTANCES", distances)
    (train, labels), (test, _) = points(120, 12, 0), points(61, 12, 1)
    reference = KNeighborsClassifier(1, algorithm="brute").fit(train.numpy(), labels.numpy())
    assert nearest_neighbour(train, labels, test).tolist() == reference.predict(test.numpy()).tolist()
    assert nearest_neighbour(train, labels, train).tolist() == labels.tolist()
