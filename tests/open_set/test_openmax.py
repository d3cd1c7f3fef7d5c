"""Mean activations, distances and OpenMax beside a transcription in numpy that goes image by image and class by class."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import optimize
from scipy.spatial import distance as scipy_distance
from torch import Tensor

from advlab.errors import ArgumentError
from advlab.open_set.mean_activations import Distance, distances_to_means, mean_activations
from advlab.open_set.openmax import (
    OpenSetModel,
    TailOf,
    Weighting,
    fit_open_set,
    openmax_logits,
    rejection_logits,
)
from advlab.open_set.softmax_threshold import threshold_at_accuracy, threshold_logits

CLASSES, SIZE = 4, 6


def drawn(n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """(n, R) float64 features that are not negative, (n, C) logits of them, and (n,) labels, of which most are the prediction."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (n,), generator=generator)
    centres = torch.rand(CLASSES, SIZE, generator=torch.Generator().manual_seed(9), dtype=torch.float64) * 3
    noise = torch.randn(n, SIZE, generator=generator, dtype=torch.float64)
    features = (centres[labels] + 0.6 * noise).clamp(min=0)
    logits = features @ centres.T - centres.square().sum(1) / 2
    return features, logits, labels


def distance_by_scipy(a: Any, b: Any, distance: Distance) -> float:
    cosine, euclidean = scipy_distance.cosine(a, b), scipy_distance.euclidean(a, b)
    return float({"cosine": cosine, "euclidean": euclidean, "eucos": cosine + euclidean / 200}[distance])


def weibull_by_brent(tail: list[float]) -> tuple[float, float]:
    """Scale and shape of largest likelihood, from the textbook's equation for k."""
    y = np.array(tail)
    logs = np.log(y)
    scaled = logs - logs.max()

    def equation(k: float) -> float:
        weights = np.exp(k * scaled)
        return float((weights * logs).sum() / weights.sum() - 1 / k - logs.mean())

    k = float(optimize.brentq(equation, 1e-3, 1e7, xtol=1e-13, rtol=1e-14))
    return float(y.max() * np.mean(np.exp(k * scaled)) ** (1 / k)), k


def transcribed(
    training: tuple[Tensor, Tensor, Tensor], features: Tensor, logits: Tensor, *, tail_size: int, alpha: int, distance: Distance,
    weighting: Weighting, translation: float, tail_of: TailOf, offset: float,
) -> np.ndarray:  # fmt: skip
    """(n, C + 1) OpenMax's probabilities, the last of unknown, by algorithms 1 and 2 in plain loops."""
    f, v, y = (tensor.numpy() for tensor in training)
    models = []
    for c in range(CLASSES):
        own = [i for i in range(len(f)) if y[i] == c]
        correct = [i for i in own if v[i].argmax() == c]
        mean = f[correct].mean(0)
        counted = own if tail_of == "all" else correct
        tail = sorted(distance_by_scipy(f[i], mean, distance) for i in counted)[-tail_size:]
        models.append((mean, tail[0], *weibull_by_brent([d - tail[0] + translation for d in tail])))
    rows = []
    for features_of_image, logits_of_image in zip(features.numpy(), logits.numpy() + offset, strict=True):
        revised, unknown = list(logits_of_image), 0.0
        for i, c in enumerate(sorted(range(CLASSES), key=lambda c: (-logits_of_image[c], c))[:alpha], start=1):
            mean, smallest, scale, shape = models[c]
            y_translated = distance_by_scipy(features_of_image, mean, distance) - smallest + translation
            w = 1 - math.exp(-((y_translated / scale) ** shape)) if y_translated > 0 else 0.0
            omega = ((alpha + 1 - i) if weighting == "osdn" else (alpha - i)) / alpha
            revised[c] = logits_of_image[c] * (1 - w * omega)
            unknown += logits_of_image[c] - revised[c]
        exponentials = np.exp(np.array([*revised, unknown]))
        rows.append(exponentials / exponentials.sum())
    return np.array(rows)


CASES: list[dict[str, Any]] = [
    {},
    {"alpha": 4, "weighting": "cvpr"},
    {"alpha": 1, "tail_of": "correct", "tail_size": 10},
    {"distance": "euclidean", "translation": 0.5},
    {"distance": "eucos", "offset": -3.0, "alpha": 3},
    {"translation": 10000.0},
    {"tail_size": 1000},  # more than there are
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_openmax_is_the_transcription(case: dict[str, Any], dtype: torch.dtype) -> None:
    options: dict[str, Any] = {
        "tail_size": 25, "alpha": 2, "distance": "cosine", "weighting": "osdn", "translation": 1.0, "tail_of": "all", "offset": 0.0,
    } | case  # fmt: skip
    training = drawn(300, 0)
    features, logits, _ = drawn(40, 1)
    features[::5] = features[::5].flip(1) * 2  # some that are far from every class
    expected = transcribed(training, features, logits, **options)
    fitting = {key: options[key] for key in ("tail_size", "distance", "translation", "tail_of")}
    f, v, y = training
    model = fit_open_set(f.to(dtype), y, v.argmax(1), classes=CLASSES, **fitting)
    revising = {key: options[key] for key in ("alpha", "weighting", "offset")}
    features, logits = features.to(dtype), logits.to(dtype)
    found = openmax_logits(logits, model.exceeded(features), **revising)
    assert found.dtype == dtype
    tolerance = 1e-5 if options["translation"] > 100 else 1e-7 if dtype == torch.float64 else 1e-4
    assert torch.allclose(found.double().softmax(1), torch.from_numpy(expected), rtol=0, atol=tolerance)
    assert len(set(found.argmax(1).tolist())) > 1  # some are unknown, or the classes differ
    whole = openmax_logits(logits, model.exceeded(features), **revising)
    parts = [
        openmax_logits(v, model.exceeded(f), **revising)
        for f, v in zip(features.split(7), logits.split(7), strict=True)
    ]
    assert torch.allclose(torch.cat(parts), whole, rtol=0, atol=1e-12 if dtype == torch.float64 else 1e-5)


def test_mean_activations_are_of_what_is_correct() -> None:
    features = torch.tensor([[1.0, 0.0], [3.0, 0.0], [100.0, 9.0], [0.0, 5.0]])
    labels, predictions = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 1, 1])
    assert mean_activations(features, labels, predictions, classes=2).tolist() == [[2.0, 0.0], [0.0, 5.0]]
    with pytest.raises(ArgumentError, match=r"classes \[2\] is classified correctly"):
        mean_activations(features, labels, predictions, classes=3)


def test_distances_near_a_mean_and_of_zeros() -> None:
    mean = torch.tensor([[3.0, 4.0, 12.0]])
    near = mean + torch.tensor([[1e-4, 0.0, 0.0]])
    exact = scipy_distance.cosine(near[0].double().numpy(), mean[0].double().numpy())
    assert float(distances_to_means(near, mean)) == pytest.approx(exact, rel=1e-3)  # float32 alone gives 0 or 6e-8
    assert float(distances_to_means(torch.zeros(1, 3), mean)) == 1.0
    assert float(distances_to_means(torch.zeros(1, 3), mean, "euclidean")) == pytest.approx(13.0)
    x = mean.clone().requires_grad_()
    for kind in ("cosine", "euclidean", "eucos"):
        (slope,) = torch.autograd.grad(distances_to_means(x, mean, kind).sum(), x)
        assert bool(torch.isfinite(slope).all())


def model_of(features: Tensor, logits: Tensor, labels: Tensor) -> OpenSetModel:
    return fit_open_set(features, labels, logits.argmax(1), classes=CLASSES, tail_size=25)


def test_activations_that_say_nothing_are_refused_with_their_fault() -> None:
    """NaN of a training that diverged, and activations that are the same for all images."""
    features, logits, labels = drawn(300, 0)
    broken = features.clone()
    broken[[3, 70]] = math.nan
    with pytest.raises(
        ArgumentError, match=r"activations of 2 of 300 training images are NaN or infinite, .*: check its weights"
    ):
        model_of(broken, logits, labels)
    for constant in (torch.full_like(features, 0.3), torch.zeros_like(features)):
        with pytest.raises(ArgumentError, match=r"distances of class 0 are equal, .* do not tell its images apart"):
            fit_open_set(constant, labels, labels, classes=CLASSES, tail_size=300)


def test_its_gradients_are_finite_differences() -> None:
    model = model_of(*drawn(300, 0))
    features, logits, _ = drawn(5, 2)

    def of_features(features: Tensor, logits: Tensor) -> Tensor:
        return openmax_logits(logits, model.exceeded(features), alpha=3)

    assert torch.autograd.gradcheck(of_features, (features.requires_grad_(), logits.requires_grad_()), atol=1e-6)


def test_rejection_alone_changes_no_class() -> None:
    model = model_of(*drawn(300, 0))
    features, logits, _ = drawn(60, 3)
    features[::4] = features[::4].flip(1) * 2
    w = model.exceeded(features)
    found = rejection_logits(logits, w, reject_at=0.7).argmax(1)
    own = logits.argmax(1)
    rejected = w.gather(1, own[:, None])[:, 0] > 0.7
    assert 0 < int(rejected.sum()) < 60
    assert torch.equal(found, torch.where(rejected, CLASSES, own))


def test_a_constant_added_to_all_logits_matters() -> None:
    """Softmax does not change; OpenMax does: with a negative top logit what is taken away from it counts against unknown."""
    logits, w = torch.tensor([[2.0, 0.0, -1.0]]), torch.ones(1, 3)
    assert openmax_logits(logits, w, alpha=1).argmax(1).tolist() == [3]
    assert openmax_logits(logits, w, alpha=1, offset=-10.0).argmax(1).tolist() == [0]
    assert torch.equal(openmax_logits(logits - 10, w, alpha=1), openmax_logits(logits, w, alpha=1, offset=-10.0))


def test_a_threshold_on_softmax() -> None:
    _, logits, labels = drawn(200, 4)
    logits = logits / 3
    confidence, own = logits.softmax(1).max(1)
    found = threshold_logits(logits, 0.8)
    assert torch.equal(found[:, :-1], logits)
    assert torch.equal(found.argmax(1), torch.where(confidence > 0.8, own, CLASSES))
    correct = own == labels
    for accuracy in (0.5, 0.75):
        threshold = threshold_at_accuracy(logits, labels, accuracy)
        kept = float((correct & (confidence > threshold)).double().mean())
        assert accuracy <= kept < accuracy + 0.006  # 200 images
    assert threshold_at_accuracy(logits, labels, 1.0) == 0.0
