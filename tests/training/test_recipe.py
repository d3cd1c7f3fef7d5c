"""Recipes: the YAML files are valid, bad values name their field, and the schedules give the published numbers."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from advlab.config.schema import construct
from advlab.training.recipe import Recipe
from advlab.training.recipe_text import parse_augmentation, parse_lr_step

RECIPES = sorted((Path(__file__).parents[2] / "configs" / "recipe").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_yaml_file_is_a_recipe(path: Path) -> None:
    recipe = construct(Recipe, yaml.safe_load(path.read_text(encoding="utf-8")), "recipe")
    assert isinstance(recipe, Recipe)
    assert recipe.name == path.stem
    assert recipe.trains == (path.stem != "none")
    assert path.read_text(encoding="utf-8").startswith("# ")


def test_there_are_recipes() -> None:
    assert {"none", "lenet_digits", "lenet_mnist", "ciresan_gtsrb", "cifar_vgg_cifar10"} <= {p.stem for p in RECIPES}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": -1}, "epochs must be at least 0"),
        ({"epochs": 0}, "set either epochs or max_steps"),
        ({"max_steps": 5}, "set either epochs or max_steps"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"optimizer": "lion"}, "optimizer must be one of sgd, adam, adamw, got 'lion'"),
        ({"lr": 0.0}, "lr must be above 0"),
        ({"lr": math.nan}, "lr must be above 0"),
        ({"lr": math.inf}, "lr must be above 0 and finite, got inf"),
        ({"momentum": 1.0}, "momentum must be at least 0 and below 1, got 1.0"),
        ({"nesterov": True, "optimizer": "adam"}, "nesterov must be false unless"),
        ({"weight_decay": -1e-4}, "weight_decay must be at least 0"),
        ({"bias_lr": -1.0}, "bias_lr must be at least 0"),
        ({"schedule": "poly"}, "schedule must be one of constant, inv, one_cycle, cosine, steps"),
        ({"warmup": 1.0}, "warmup must be at least 0 and below 1"),
        ({"schedule": "steps"}, "lr_steps must list"),
        ({"schedule": "steps", "lr_steps": ["1:1"]}, "add up to epochs=2"),
        ({"schedule": "steps", "lr_steps": ["2"]}, "'epochs:factor'"),
        ({"lr_steps": ["2:1"]}, "lr_steps must be empty"),
        ({"label_smoothing": 1.0}, "label_smoothing must be at least 0 and below 1"),
        ({"augment": ["mixup"]}, "augment must hold crop, flip, affine, .*hard, .*, got 'mixup'"),
        ({"augment": ["crop"]}, "crop:number"),
        ({"augment": ["crop:1.5"]}, "whole number"),
        ({"augment": ["flip:1"]}, "write flip"),
        ({"augment": ["affine:10,0.1"]}, "rotation in degrees"),
        ({"augment": ["affine:10,0.1,1"]}, "scaling of affine must be below 1"),
        ({"augment": ["affine:ten,0,0"]}, "rotation in degrees"),
        ({"precision": "fp16"}, "precision must be one of float32, bf16"),
        ({"normalise": "imagenet"}, "normalise must be one of caffe, mean_image, standard"),
        ({"expected": {"mnist": 99.1}}, "expected.mnist must be from 0 to 1, got 99.1"),
    ],
)
def test_bad_values_name_the_field(values: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"name": "test", "epochs": 2}
    Recipe(**good)
    with pytest.raises(ValueError, match=message):
        Recipe(**{**good, **values})


def test_none_needs_nothing() -> None:
    assert not Recipe().trains


def test_caffes_inv_schedule() -> None:
    """The rates that caffe logs for lenet_solver.prototxt."""
    recipe = Recipe(name="test", max_steps=10_000, lr=0.01, schedule="inv")
    logged = {0: 0.01, 100: 0.00992565, 500: 0.00964069, 1000: 0.00931012, 5000: 0.00737788, 9900: 0.00596843}
    for step, lr in logged.items():
        assert recipe.lr_at(step, 10_000) == pytest.approx(lr, rel=1e-5)


def test_one_cycle_rises_and_falls_linearly() -> None:
    recipe = Recipe(name="test", epochs=1, lr=1.0, schedule="one_cycle", warmup=0.2)
    rates = [recipe.lr_at(step, 10) for step in range(10)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])


def test_cosine_halves_in_the_middle() -> None:
    recipe = Recipe(name="test", epochs=1, lr=2.0, schedule="cosine", warmup=0.0)
    assert recipe.lr_at(0, 100) == pytest.approx(2.0)
    assert recipe.lr_at(50, 100) == pytest.approx(1.0)
    assert 0 < recipe.lr_at(99, 100) < 0.001


def test_constant_schedule() -> None:
    recipe = Recipe(name="test", epochs=1, lr=0.3, schedule="constant")
    assert {recipe.lr_at(step, 7) for step in range(7)} == {0.3}


def test_steps_of_network_in_network() -> None:
    """MatConvNet's rates .002, .01, .02, then .04 x 80, .004 x 10, .0004 x 10."""
    steps = ["1:0.05", "1:0.25", "1:0.5", "80:1", "10:0.1", "10:0.01"]
    recipe = Recipe(name="test", epochs=103, batch_size=100, lr=0.04, schedule="steps", lr_steps=steps)
    total = recipe.total_steps(50_000)
    assert total == 103 * 500
    rates = [recipe.lr_at(step, total) for step in range(total)]
    wanted = [0.002, 0.01, 0.02] + [0.04] * 80 + [0.004] * 10 + [0.0004] * 10
    assert rates[::500] == pytest.approx(wanted)
    assert rates[499::500] == pytest.approx(wanted)


def test_steps_are_counted_in_whole_batches() -> None:
    assert Recipe(name="test", epochs=3, batch_size=64).total_steps(60_000) == 3 * 937
    assert Recipe(name="test", epochs=3, batch_size=64).total_steps(10) == 3
    assert Recipe(name="test", max_steps=50_000, batch_size=64).total_steps(60_000) == 50_000


def test_parsers() -> None:
    assert parse_augmentation("affine:10,0.1,0.2") == ("affine", (10.0, 0.1, 0.2))
    assert parse_augmentation("flip") == ("flip", ())
    assert parse_lr_step("80:0.1") == (80.0, 0.1)


def test_recipes_need_no_torch() -> None:
    code = "import sys, advlab.training.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
