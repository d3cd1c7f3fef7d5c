"""The clean accuracy of the run's network: its predictions on the first images, and what is said and kept of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import fields

from advlab.config.choices import read_choice
from advlab.config.identity import archived_parameters
from advlab.config.settings import Settings
from advlab.data.images import ImageData
from advlab.lab.network_context import NetworkContext
from advlab.models.classifier import frozen
from advlab.models.forward import Forward
from advlab.probes.selection import Predictions, predict
from advlab.store.artifacts import ArtifactStore
from advlab.training.recipe import Recipe

log = logging.getLogger(__name__)

FEWEST_TO_JUDGE = 20  # images whose accuracy may be told from guessing


class NetworkPredictions:
    """The network's predictions on the first images of the order; called with how many are wanted."""

    def __init__(
        self,
        settings: Settings,
        artifacts: ArtifactStore,
        report_progress: Callable[[str, int, int], None],
        forward: Forward,
        data: ImageData,
    ) -> None:
        self._run, self._artifacts, self._report_progress = settings.run, artifacts, report_progress
        self._forward, self._data = forward, data

    def __call__(self, count: int) -> Predictions:
        """Predictions on `count` images, or on all where there are fewer."""
        classifier, execution = self._forward.classifier, self._forward.execution
        with frozen(classifier):
            return predict(
                classifier, self._forward, self._data, seed=self._run.seed, count=count, batch=execution.batch_size,
                precision=self._run.precision, artifacts=self._artifacts, report_progress=self._report_progress,
            )  # fmt: skip


def report_accuracy(ctx: NetworkContext) -> None:
    """Print the clean accuracy beside the one that the recipe is known to reach, and keep both for the manifest."""
    predictions = ctx.predictions(ctx.settings.run.accuracy_images)
    images, correct = len(predictions.correct), int(predictions.correct.sum())
    accuracy = correct / images
    expected = expected_accuracy(ctx.settings, ctx.data.name)
    trained_here = (
        expected > 0 and ctx.facts["model"]["origin"].startswith("trained") and not ctx.classifier.is_defended
    )
    rejected = int(predictions.rejected.sum())
    notes = [f"; {rejected} are rejected" if ctx.classifier.rejects else ""]
    as_published = trained_here and is_published(ctx.settings)
    unchanged = "" if as_published else "unchanged "
    others = "" if images == len(ctx.data) else " of all test images"
    notes.append(f"; the recipe {unchanged}reaches {100 * expected:.2f} %{others}" if trained_here else "")
    log.info(
        "clean accuracy of %s on %s: %.2f %% (%d of %d)%s", ctx.classifier.name, ctx.data.name, 100 * correct / images, correct,
        images, "".join(notes),
    )  # fmt: skip
    # three standard errors of a share, and one percent for the seed of training
    if as_published and accuracy < expected - 0.01 - 3 * (expected * (1 - expected) / images) ** 0.5:
        log.warning("the clean accuracy is well below what the recipe reaches: check data and training")
    elif images >= FEWEST_TO_JUDGE and len(ctx.data.classes) > 1 and accuracy <= guessed(len(ctx.data.classes), images):
        log.warning(
            "the clean accuracy is that of guessing among %d classes: check its weights, the order of its classes, and that "
            "it takes images in [0, 1] (model.mean and model.std normalise them)", len(ctx.data.classes),
        )  # fmt: skip
    ctx.facts["clean_accuracy"] = {
        "accuracy": accuracy,
        "correct": correct,
        "images": images,
        "expected": expected if trained_here else None,
        **({"rejected": rejected} if ctx.classifier.rejects else {}),
    }


def expected_accuracy(settings: Settings, data: str) -> float:
    """The accuracy that the recipe is known to reach on a dataset with the model that it is named after; 0: none is known."""
    if not settings.choice_name("recipe").startswith(f"{settings.nodes['model']['name']}_"):
        return 0.0  # `recipe=lenet_digits` may train an mlp
    return float(getattr(settings.recipe, "expected", {}).get(data, 0.0))


def guessed(classes: int, images: int) -> float:
    """Two standard errors above the accuracy of guessing, at most half of what is left to 1."""
    chance = 1 / max(classes, 1)
    return min(chance + 2 * (chance * (1 - chance) / images) ** 0.5, (1 + chance) / 2)


def is_published(settings: Settings) -> bool:
    """Whether the recipe is as its YAML file has it, so that its accuracy may be expected: no user or preset changed it."""
    published = read_choice("recipe", settings.choice_name("recipe"))
    known = {field.name for field in fields(settings.recipe)}
    recipe = Recipe(**{key: value for key, value in published.items() if key in known})
    return archived_parameters(recipe) == archived_parameters(settings.recipe)
