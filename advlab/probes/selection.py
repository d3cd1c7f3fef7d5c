"""Which images are probed: classified correctly and with confidence, in an order shared by all networks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from advlab.attacks.rejection import rejected
from advlab.data.images import ImageData
from advlab.errors import MeasurementError
from advlab.metrics.error_probability import error_probability
from advlab.models.classifier import Classifier
from advlab.store.artifacts import Arrays, ArtifactStore

log = logging.getLogger(__name__)


def order(data: ImageData, seed: int) -> np.ndarray[Any, Any]:
    """(N,) indices of a split in the order in which candidates are tried: a permutation by seed and dataset alone."""
    name = int.from_bytes(f"{data.name}/{data.split}".encode(errors="surrogateescape"), "little")
    return np.random.default_rng([seed, name]).permutation(len(data))


@dataclass(frozen=True)
class Predictions:
    """What the network says of the first images of the order.

    Attributes:
        indices: (n,) into the split.
        correct: (n,) bool.
        confidence: (n,) float64 softmax probability of the true class.
        rejected: (n,) bool, none of them correct; empty of a network without a reject output.
    """

    indices: np.ndarray[Any, Any]
    correct: np.ndarray[Any, Any]
    confidence: np.ndarray[Any, Any]
    rejected: np.ndarray[Any, Any] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    @property
    def accuracy(self) -> float:
        """Share that is classified correctly."""
        return float(self.correct.mean())


def predict(
    classifier: Classifier,
    forward: Callable[[Tensor], Tensor],
    data: ImageData,
    *,
    seed: int,
    count: int,
    batch: int,
    precision: str,
    artifacts: ArtifactStore,
    report_progress: Callable[[str, int, int], None],
) -> Predictions:
    """Predictions on the first `count` images of the order, from the artifacts when they were made before.

    Args:
        classifier: gives the digest of the weights.
        forward: images to logits, in the run's precision and memory format.
        data: the split.
        seed: of the order.
        count: images; all when there are fewer.
        batch: images a forward.
        precision: part of the key.
        artifacts: where predictions are kept.
        report_progress: progress callback (title, done, total); may raise to interrupt.
    """
    chosen = order(data, seed)[:count]

    def make() -> tuple[Arrays, dict[str, Any]]:
        columns: dict[str, list[np.ndarray[Any, Any]]] = {"correct": [], "confidence": []}
        if classifier.rejects:
            columns["rejected"] = []
        with torch.inference_mode():
            for start in range(0, len(chosen), batch):
                indices = torch.from_numpy(chosen[start : start + batch])
                labels = data.labels[indices.to(data.device)]
                logits = forward(data.images(indices))
                error, is_correct = error_probability(logits, labels)
                columns["correct"].append(is_correct.cpu().numpy())
                columns["confidence"].append((1 - error).cpu().numpy())
                if classifier.rejects:
                    columns["rejected"].append(rejected(logits).cpu().numpy())
                report_progress("clean accuracy", min(start + batch, len(chosen)), len(chosen))
        return {name: np.concatenate(parts) for name, parts in columns.items()}, {}

    key = {
        "version": 1, "weights": classifier.digest(), "behaviour": classifier.behaviour, "data": data.digest,
        "order": f"{data.name}/{data.split}/{seed}", "count": len(chosen), "precision": precision,
    }  # fmt: skip
    arrays = artifacts.get("predictions", key, make).arrays
    return Predictions(chosen, **arrays)


def first_qualified(
    predictions: Callable[[int], Predictions], *, samples: int, confidence: float, name: str, first: int, images: int
) -> list[int]:
    """`select` on as few predictions as give enough samples: on the `first` images, and on more while too few qualify.

    Args:
        predictions: gives those on so many images of the order.
        samples: how many are wanted.
        confidence: softmax probability of the true class, above.
        name: of the network, for messages.
        first: so many images are looked at in any case, for the clean accuracy.
        images: of the split.
    """
    count = first
    while True:
        found = predictions(count)
        qualifying = int((found.correct & (found.confidence > confidence)).sum())
        if qualifying >= samples or len(found.indices) == images:
            return select(found, samples=samples, confidence=confidence, name=name)
        count *= 2


def select(predictions: Predictions, *, samples: int, confidence: float, name: str) -> list[int]:
    """Indices of the first `samples` images of the order that are classified correctly with more than `confidence`.

    Raises:
        MeasurementError: none qualifies; the message names the threshold and the highest confidence seen.
    """
    qualifies = predictions.correct & (predictions.confidence > confidence)
    selected = [int(i) for i in predictions.indices[qualifies][:samples]]
    if not selected:
        highest_correct = np.nanmax(np.where(predictions.correct, predictions.confidence, 0), initial=0)
        highest = np.nanmax(predictions.confidence, initial=0)
        raise MeasurementError(
            f"no image qualifies: of {len(predictions.indices)} images none is classified correctly by {name} with more than "
            f"{confidence:.12g} confidence; the highest confidence of a correct one is {highest_correct:.12g} (of any image in "
            f"its true class {highest:.12g}). Lower the threshold by probe.confidence=..., or give a better trained network"
        )
    if len(selected) < samples:
        log.warning(
            "only %d of the %d samples asked for are classified correctly with more than %g confidence; going on with them",
            len(selected), samples, confidence,
        )  # fmt: skip
    return selected
