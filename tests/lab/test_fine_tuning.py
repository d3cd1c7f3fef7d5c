"""Networks trained within a run, from random weights or from given ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from advlab import testing
from advlab.errors import ModelError
from advlab.lab import DataContext
from advlab.models.classifier import Classifier
from advlab.training.recipe import Recipe
from tests.helpers.images import random_images

SHORT = Recipe(name="short", max_steps=3, batch_size=4, normalise="standard", lr=0.1, momentum=0.0, weight_decay=0.0)
SHAPE = (1, 6, 6)


@pytest.fixture
def ctx(tmp_path: Path) -> DataContext:
    options = {"model": {"name": "mlp", "input": list(SHAPE), "hidden": [5], "classes": 10}, "experiment.seeds": 1}
    made: DataContext = testing.context(
        "hard_point_training", images=random_images(8, SHAPE), options=options, folder=tmp_path
    )
    return made


def weights(classifier: Classifier) -> torch.Tensor:
    return torch.cat([value.flatten() for value in classifier.network.state_dict().values()])


def artifacts(ctx: DataContext) -> int:
    return len(list(ctx.artifacts.root.glob("weights/*/facts.json")))


def test_fine_tuning_starts_from_the_given_weights_and_keeps_their_normalisation(ctx: DataContext) -> None:
    first = ctx.train(SHORT)
    still = replace(SHORT, lr=1e-12, normalise="caffe")
    tuned = ctx.train(still, initial=first, seed=5)
    torch.testing.assert_close(weights(tuned), weights(first), rtol=0, atol=1e-9)
    assert tuned.scale.equal(first.scale)
    assert tuned.shift.equal(first.shift)
    x = ctx.data.images(torch.arange(8))
    torch.testing.assert_close(tuned(x), first(x))
    assert not torch.allclose(weights(ctx.train(still, seed=5)), weights(first), atol=1e-3)


def test_one_step_is_the_gradient_step_from_there(ctx: DataContext) -> None:
    """One full batch of plain gradient descent, written out."""
    recipe = replace(SHORT, max_steps=1, batch_size=8, schedule="constant", label_smoothing=0.0)
    first = ctx.train(SHORT)
    tuned = ctx.train(recipe, initial=first)
    x, labels = ctx.data.images_and_labels(range(8))
    parameters = list(first.network.parameters())
    for parameter in parameters:
        parameter.requires_grad_(True)
    loss = torch.nn.functional.cross_entropy(first(x), labels)
    wanted = [
        p.detach() - recipe.lr * g for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True)
    ]
    for found, expected in zip(tuned.network.parameters(), wanted, strict=True):
        torch.testing.assert_close(found.detach(), expected, rtol=1e-5, atol=1e-6)


def test_the_first_weights_are_in_the_key(ctx: DataContext) -> None:
    first, other = ctx.train(SHORT), ctx.train(SHORT, seed=1)
    assert artifacts(ctx) == 2
    one = ctx.train(SHORT, initial=first)
    assert artifacts(ctx) == 3
    assert ctx.train(SHORT, initial=first).digest() == one.digest()
    assert artifacts(ctx) == 3  # read from the cache
    assert ctx.train(SHORT, initial=other).digest() != one.digest()
    assert artifacts(ctx) == 4


def test_other_images_and_splits(ctx: DataContext) -> None:
    half = replace(ctx.data, pixels=ctx.data.pixels[:4], labels=ctx.data.labels[:4], digest="half")  # type: ignore[index]
    assert ctx.train(SHORT, data=half).digest() != ctx.train(SHORT).digest()
    assert ctx.split(ctx.data.split) is ctx.data
    assert ctx.split("train") is ctx.split("train")


def test_weights_of_another_network_are_refused(ctx: DataContext) -> None:
    layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 10))
    other = Classifier(layers, name="other", shape=SHAPE, mean=None, std=None)
    with pytest.raises(ModelError, match=r"the checkpoint of other, from which training starts, does not fit"):
        ctx.train(SHORT, initial=other)
