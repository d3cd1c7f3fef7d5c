"""Labels name the options that a user has changed, and nothing that a choice brings along."""

from __future__ import annotations

from typing import Any

import pytest

from advlab import testing
from advlab.config.compose import Composer
from advlab.config.labels import label_with_options
from advlab.plugins.loading import load_plugins


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ({"model": "lenet", "dataset": "digits"}, "lenet on digits"),
        ({"model": "lenet", "dataset": "digits", "model.hidden": 100}, "lenet on digits, hidden=100"),
        ({"model": "lenet", "dataset": "digits", "recipe": "lenet_adam"}, "lenet on digits, recipe=lenet_adam"),
        (
            {"model": "lenet", "dataset": "digits", "model.checkpoint": "a/b/best.pt"},
            "lenet on digits, checkpoint=best.pt",
        ),
    ],
)
def test_options_of_a_network(options: dict[str, Any], label: str) -> None:
    assert label_with_options(testing.settings_of("isotropy", options).nodes) == label


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("model=lenet_mnist", "lenet on mnist"),
        ("model=lenet_mnist_pgd", "lenet_pgd on mnist"),
        ("model=mlp", "mlp on mnist"),
        ("model=cifar_alexnet_cifar100", "cifar_alexnet on cifar100"),
        ("experiment=attack_survey attack=hc model=lenet", "hc: lenet on digits"),
        ("experiment=attack_survey attack=pgd attack.epsilon=.1", "pgd: lenet on digits, epsilon=0.1"),
        ("model=lenet dataset.split=train", "lenet on digits, split=train"),
        ("model=vgg16 dataset.root=/tmp", "vgg16 on imagenet"),
    ],
)
def test_what_a_choice_brings_along_is_not_named(line: str, label: str) -> None:
    load_plugins()
    with Composer(None) as composer:
        (settings,) = composer.jobs(line.split(), multirun=False)
    assert label_with_options(settings.nodes) == label
