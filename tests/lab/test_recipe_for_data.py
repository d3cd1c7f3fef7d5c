"""A recipe of other data is told before it trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from advlab.lab.recipe_for_data import made_for_other_data
from advlab.training.recipe import Recipe
from tests.helpers.commands import Ended


@pytest.mark.parametrize(
    ("recipe", "data", "said"),
    [
        ("lenet_mnist", "mnist", ""),
        ("cifar_vgg_cifar10", "cifar10-jpeg", ""),
        ("cifar_vgg_cifar10", "cifar100", "is for cifar10, and trains lenet on cifar100 now"),
        ("lenet_adam", "mnist", ""),  # no accuracy of it is known on any data
        ("of_my_own", "mnist", ""),
    ],
)
def test_what_a_recipe_is_for(recipe: str, data: str, said: str) -> None:
    found = made_for_other_data("lenet", Recipe(name=recipe, epochs=1), data)
    assert said in found
    assert bool(said) == bool(found)


def test_it_is_told_before_training(cli: Callable[..., Ended], tmp_path: Path) -> None:
    empty = f"run.cache_root={tmp_path}/cache"  # in the tests' own another one may have trained it
    ended = cli("model=mlp", "dataset=digits", "recipe=mlp_mnist", "run.dry=true", "run.preset=tiny", empty)
    assert ended.code == 0
    assert "warning: the recipe mlp_mnist is for mnist, and trains mlp on digits now" in ended.err
    assert "is for" not in cli("run.dry=true", "run.preset=tiny", empty).err
