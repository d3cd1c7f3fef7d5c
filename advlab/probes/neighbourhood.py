"""What a network does around some images: one sweep over their perturbations, as scores and as distances of features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from advlab.metrics.distances import norms_and_distances
from advlab.metrics.error_probability import error_probability
from advlab.models.forward import Execution, Forward
from advlab.probes.sphere import Sphere
from advlab.probes.sweep import Batch, Directions, sphere_batches

#: Layers are swept together while the float32 features of the T perturbed images of one (sample, radius) take at most so
#: many values (512 MiB): where T images are more than a batch, those features are kept until the last batch.
FEATURE_VALUES_AT_ONCE = 1 << 27


@dataclass(frozen=True)
class Scores:
    """Scores s of the perturbed images of some samples: the softmax probability of the true class, kept as 1 - s.

    Attributes:
        clean_error_probability: (samples,) float64 of 1 - s of the clean image; s itself sits within 1e-9 of 1.
        error_probability: (readings, samples, radii, trials) float64 of 1 - s; NaN where a logit is not finite.
        correct: the same shape, bool: whether the image is classified correctly.
    """

    clean_error_probability: Tensor
    error_probability: Tensor
    correct: Tensor


@dataclass(frozen=True)
class Neighbourhood(Scores):
    """The scores, with the distances in the image and in the features of each layer.

    Attributes:
        lengths: (readings, samples, radii, trials) float32 of ||v||, Euclidean, pixels in [0, 1].
        feature_shifts: (layers, readings, samples, radii, trials) float32 of ||Phi_L(x + v) - Phi_L(x)||.
        image_distances: (readings, samples, radii, pairs) float32 distances of the perturbed images of one (sample, radius).
        feature_distances: (layers, readings, samples, radii, pairs) float32 distances of their features.
        widths: (layers,) int64: R, the number of features of each layer.
    """

    lengths: Tensor
    feature_shifts: Tensor
    image_distances: Tensor
    feature_distances: Tensor
    widths: Tensor


@dataclass(frozen=True)
class PerturbedImages:
    """The images that a sweep goes through, and the network that it asks.

    Attributes:
        network: gives logits and features.
        x: (samples, C, H, W) clean images in [0, 1].
        labels: (samples,) true classes.
        samples: (samples,) their indices in the dataset, which the directions depend on.
        probe: radii, trials, readings and clipping.
        directions: of the perturbations.
        execution: batch size and memory format.
    """

    network: Forward
    x: Tensor
    labels: Tensor
    samples: Sequence[int]
    probe: Sphere
    directions: Directions
    execution: Execution

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(readings, samples, radii, trials)."""
        return len(self.probe.readings), len(self.samples), len(self.probe.radii), self.probe.trials


def sweep_scores(perturbed: PerturbedImages) -> Scores:
    """Forwards of all perturbed images, for their scores alone."""
    clean_logits, _ = perturbed.network.layer_features(perturbed.x, [])
    logits = _GatheredLogits(perturbed.shape, clean_logits)
    for batch in _batches(perturbed):
        logits.add(batch, perturbed.network.layer_features(batch.images, [])[0])
    return Scores(*logits.scores(perturbed.labels))


def sweep_neighbourhood(perturbed: PerturbedImages, layers: Sequence[str]) -> Neighbourhood:
    """Forwards of all perturbed images, for their scores and the distances of their features.

    Args:
        perturbed: the images and the network.
        layers: whose outputs are Phi_L; one at least.
    """
    x, shape = perturbed.x, perturbed.shape
    clean_logits, clean_features = perturbed.network.layer_features(x, layers)
    logits = _GatheredLogits(shape, clean_logits)
    widths = [features.shape[1] for features in clean_features]
    spaces: list[tuple[Tensor, Tensor]] = []  # norms and distances: of the images, then of each layer's features
    for n, group in enumerate(layer_groups(widths, perturbed.probe.trials)):
        with_images = n == 0  # the first sweep takes the distances of the images as well
        clean = [clean_features[layer] for layer in group]
        distances = _GatheredDistances(shape, [x.flatten(1), *clean] if with_images else clean)
        for batch in _batches(perturbed):
            out, features = perturbed.network.layer_features(batch.images, [layers[layer] for layer in group])
            logits.add(batch, out)
            distances.add(batch, [batch.images.flatten(1), *features] if with_images else features)
        spaces += zip(distances.norms, distances.pairs, strict=True)
    norms, pairs = (torch.stack(numbers).unflatten(2, shape[1:3]) for numbers in zip(*spaces, strict=True))
    return Neighbourhood(
        *logits.scores(perturbed.labels), lengths=norms[0], feature_shifts=norms[1:], image_distances=pairs[0],
        feature_distances=pairs[1:], widths=torch.tensor(widths),
    )  # fmt: skip


def layer_groups(widths: list[int], trials: int) -> list[list[int]]:
    """Indices of the layers that are swept together, so that memory is bounded by `FEATURE_VALUES_AT_ONCE`.

    Args:
        widths: R of each layer.
        trials: T.
    """
    groups: list[list[int]] = []
    grouped_width = 0
    for layer, width in enumerate(widths):
        if not groups or (grouped_width + width) * trials > FEATURE_VALUES_AT_ONCE:
            groups.append([])
            grouped_width = 0
        groups[-1].append(layer)
        grouped_width += width
    return groups


def _batches(perturbed: PerturbedImages) -> Iterator[Batch]:
    return sphere_batches(perturbed.x, perturbed.samples, perturbed.probe, perturbed.directions, perturbed.execution)


class _GatheredLogits:
    """The logits of all perturbed images, filled in batch by batch.

    Args:
        shape: (readings, samples, radii, trials).
        clean: (samples, K) logits of the clean images.
    """

    def __init__(self, shape: tuple[int, int, int, int], clean: Tensor) -> None:
        readings, samples, radii, trials = shape
        self.shape, self.clean = shape, clean
        self.logits = clean.new_empty(readings, samples * radii, trials, clean.shape[-1])

    def add(self, batch: Batch, logits: Tensor) -> None:
        """Take the (units * trials, K) logits of one batch."""
        logits = logits.view(batch.units, -1, logits.shape[-1])
        units = slice(batch.first, batch.first + batch.units)
        self.logits[batch.reading, units, batch.start : batch.start + logits.shape[1]] = logits

    def scores(self, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The fields of `Scores`, for (samples,) true classes."""
        clean, _ = error_probability(self.clean, labels)
        perturbed, correct = error_probability(self.logits.view(*self.shape, -1), labels[:, None, None])
        return clean, perturbed, correct


class _GatheredDistances:
    """||v|| and the distances of all pairs of perturbed images of each (sample, radius), in pixels and in features.

    Pairs need all T images of a (sample, radius): where those span several batches, they are kept until the last of these.

    Args:
        shape: (readings, samples, radii, trials).
        origins: the clean images (samples, R) in each space: their pixels, or the features of a layer.
    """

    def __init__(self, shape: tuple[int, int, int, int], origins: list[Tensor]) -> None:
        readings, samples, self.radii, self.trials = shape
        units, pairs = samples * self.radii, self.trials * (self.trials - 1) // 2
        self.origins = origins
        self.norms = origins[0].new_empty(len(origins), readings, units, self.trials)
        self.pairs = origins[0].new_empty(len(origins), readings, units, pairs)
        self.incomplete: dict[tuple[int, int], list[Tensor]] = {}  # (space, reading) -> (1, trials so far, R)

    def add(self, batch: Batch, spaces: list[Tensor]) -> None:
        """Take the perturbed images (n, R) of one batch, as points of each space."""
        units = slice(batch.first, batch.first + batch.units)
        sample = torch.arange(batch.first, batch.first + batch.units, device=batch.images.device) // self.radii
        for space, (origin, points) in enumerate(zip(self.origins, spaces, strict=True)):
            shifts = points.view(batch.units, -1, points.shape[-1]) - origin[sample][:, None]
            if shifts.shape[1] < self.trials:
                earlier = self.incomplete.setdefault((space, batch.reading), [])
                earlier.append(shifts)
                if batch.start + shifts.shape[1] < self.trials:
                    continue
                shifts = torch.cat(self.incomplete.pop((space, batch.reading)), 1)
            norms, pairs = norms_and_distances(shifts)
            self.norms[space, batch.reading, units], self.pairs[space, batch.reading, units] = norms, pairs
