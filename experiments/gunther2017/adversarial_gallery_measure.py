"""Finds images whose adversarial images are classified alike, and measures each column of the gallery."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from torch import Tensor

from advlab.attacks import Attack
from advlab.attacks.norms import norms_of_each
from advlab.errors import MeasurementError
from advlab.lab import Cell, NetworkContext
from advlab.metrics.pass_score import pass_score

from .adversarial_gallery import ORIGINAL, AdversarialGallery, GalleryRow
from .drawn_images import class_probabilities, grey_levels, image_columns, verdict_columns

log = logging.getLogger(__name__)


def prepare(experiment: AdversarialGallery, ctx: NetworkContext) -> dict[str, Any]:
    """The samples of the columns, ordered by class."""
    return {"samples": chosen_samples(experiment, ctx)}


def chosen_samples(experiment: AdversarialGallery, ctx: NetworkContext) -> list[int]:
    """For each class the first sample of a seeded order that qualifies, ordered by class; for a dry run any samples.

    Raises:
        MeasurementError: no candidate qualifies.
    """
    candidates = ctx.order(experiment.params.candidates)
    columns = min(experiment.params.columns, len(ctx.data.classes))
    if ctx.settings.run.dry:
        return candidates[:columns]
    sample_of_class: dict[int, int] = {}
    for sample in candidates:
        label = int(ctx.data.labels[sample])
        if label not in sample_of_class and qualifies(experiment, ctx, sample, label):
            sample_of_class[label] = sample
            ctx.report_progress("columns", len(sample_of_class), columns)
        if len(sample_of_class) == columns:
            break
    if not sample_of_class:
        raise MeasurementError(
            f"none of {len(candidates)} images has adversarial images of all kinds in one class: raise "
            "experiment.candidates, or choose a model that classifies some of them correctly"
        )
    if len(sample_of_class) < columns:
        ctx.report_progress("columns", columns, columns)
        log.warning(
            "only %d of %d columns: for the other classes none of the %d candidates has adversarial images of all "
            "kinds in one class; experiment.candidates tries more", len(sample_of_class), columns, len(candidates),
        )  # fmt: skip
    return [sample_of_class[label] for label in sorted(sample_of_class)]


def qualifies(experiment: AdversarialGallery, ctx: NetworkContext, sample: int, label: int) -> bool:
    """Whether an image is classified correctly, and all attacks lead to one other class, which is no rejection."""
    if classified_image(ctx, sample, None).prediction != label:
        return False
    adversarial_classes: set[int] = set()
    for attack in experiment.attacks(ctx).values():
        prediction = classified_image(ctx, sample, attack).prediction
        adversarial_classes.add(prediction)
        if prediction == label or prediction >= len(ctx.data.classes) or len(adversarial_classes) > 1:
            return False
    return True


class ClassifiedImage(NamedTuple):
    """An image as it is drawn, and what the network makes of it."""

    image: Tensor  # (1, C, H, W) in [0, 1], in whole grey levels
    prediction: int  # class
    probability: float  # of that class (softmax)


def classified_image(ctx: NetworkContext, sample: int, attack: Attack | None) -> ClassifiedImage:
    """A sample, attacked or (None) as it is, rounded to whole grey levels and classified."""
    image, label = ctx.images_and_labels([sample])
    if attack is not None:
        image = ctx.attack(attack, image, label).adv
    image = grey_levels(image)  # the image of a discrete attack is not changed by it
    probabilities = class_probabilities(ctx, image)
    return ClassifiedImage(image, int(probabilities.argmax()), float(probabilities.max()))


def measure(experiment: AdversarialGallery, ctx: NetworkContext, cell: Cell) -> list[GalleryRow]:
    """One column: a row for the original and one for each kind of adversarial image."""
    data, sample = ctx.data, cell.payload["sample"]
    label = int(data.labels[sample])
    original = classified_image(ctx, sample, None).image
    kinds: dict[str, Attack | None] = {ORIGINAL: None, **experiment.attacks(ctx)}
    rows = []
    for kind, attack in kinds.items():
        image, prediction, probability = classified_image(ctx, sample, attack)
        delta = (image - original).cpu().double()
        rows.append(
            GalleryRow(
                column=cell.payload["column"], sample=sample, image=kind, label=label, label_name=data.classes[label],
                prediction=prediction, prediction_name=data.class_name(prediction), probability=probability,
                l2=float(norms_of_each(delta, "l2")), linf=float(norms_of_each(delta, "linf")),
                pass_score=float(pass_score(original, image)), **image_columns(image), **verdict_columns(ctx, image),
            )
        )  # fmt: skip
    return rows
