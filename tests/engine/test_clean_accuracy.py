"""What a run says of its network's clean accuracy: a warning only where the recipe is the one whose accuracy is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from advlab import testing
from advlab.engine import clean_accuracy
from advlab.engine.clean_accuracy import expected_accuracy, guessed, is_published
from tests.helpers.commands import Ended


@pytest.mark.parametrize(
    ("options", "published"),
    [
        ({}, True), ({"run.seed": 3}, True), ({"model.hidden": 7}, True), ({"recipe.epochs": 20}, True),
        ({"recipe.epochs": 2}, False), ({"recipe.lr": 0.01}, False), ({"recipe.augment": ["flip"]}, False),
    ],
)  # fmt: skip
def test_a_recipe_is_published_while_nothing_of_it_is_changed(options: dict[str, Any], published: bool) -> None:
    assert (
        is_published(testing.settings_of("isotropy", {"model": "lenet", "recipe": "lenet_digits", **options}))
        == published
    )


def test_who_trains_for_two_steps_is_not_warned(cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    line = (
        "recipe.epochs=0",
        "recipe.max_steps=2",
        "run.preset=tiny",
        "probe.radii=[1]",
        "probe.trials=2",
        "run.device=cpu",
    )
    ended = cli(*line)
    assert "; the recipe unchanged reaches 98.89 % of all test images" in ended.err
    assert "well below" not in ended.err
    monkeypatch.setattr(clean_accuracy, "is_published", lambda settings: True)
    ended = cli(*line)
    assert "; the recipe reaches 98.89 %" in ended.err
    assert "warning: the clean accuracy is well below what the recipe reaches" in ended.err


@pytest.mark.parametrize(
    ("model", "recipe", "expected"),
    [("lenet", "lenet_digits", 0.9889), ("mlp", "lenet_digits", 0.0), ("lenet", "none", 0.0)],
)
def test_no_accuracy_of_another_networks_recipe_is_expected(model: str, recipe: str, expected: float) -> None:
    settings = testing.settings_of("isotropy", {"model": model, "dataset": "digits", "recipe": recipe})
    assert expected_accuracy(settings, "digits") == expected


def test_guessing() -> None:
    assert guessed(10, 100) == pytest.approx(0.1 + 2 * 0.03)
    assert guessed(2, 20) == pytest.approx(0.5 + 2 * (0.25 / 20) ** 0.5)
    assert guessed(1, 20) == 1.0
