"""A norm that is typed takes the length of its YAML file or component with it only where it is that one's norm."""

from __future__ import annotations

import pytest

from advlab.config.compose import Composer
from advlab.errors import ConfigError
from advlab.plugins.loading import load_plugins

SURVEY = "experiment=attack_survey"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("attack=apgd attack.norm=l2", "attack: epsilon=0.0313725 is meant in norm=linf"),
        ("attack=pgd attack.norm=l2", "such as epsilon=0.5"),
        ("attack=pgd_mnist attack.norm=l2", "attack: epsilon=0.3 is meant in norm=linf"),
        ("attack=pgd_l2 attack.norm=linf", "attack: epsilon=0.5 is meant in norm=l2"),
        ("attack=noise attack.norm=linf", "such as epsilon=0.0314"),
        ("attack=pgd attack.name=apgd attack.norm=l2", "attack: epsilon=0.0313725 is meant in norm=linf"),
    ],
)
def test_a_norm_without_its_length_is_refused(line: str, words: str) -> None:
    load_plugins()
    with Composer(None) as composer:
        with pytest.raises(ConfigError) as caught:
            composer.settings([SURVEY, *line.split()])
        assert words in str(caught.value)
        wanted = 0.25
        settings = composer.settings([SURVEY, *line.split(), f"attack.epsilon={wanted}"])
    assert settings.attack.epsilon == wanted
    assert f"norm={settings.attack.norm}" in line


@pytest.mark.parametrize(
    "line",
    [
        "attack=pgd_l2 attack.norm=l2",
        "attack=pgd_mnist attack.norm=linf",
        "attack=uap attack.norm=l2",
        "attack=deepfool attack.norm=linf",
        "attack=library attack.norm=linf",
    ],
)
def test_a_norm_that_fits_needs_no_length(line: str) -> None:
    load_plugins()
    with Composer(None) as composer:
        assert f"norm={composer.settings([SURVEY, *line.split()]).attack.norm}" in line
