"""A radius in grey levels is told for what it is: pixels lie in [0, 1]."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from advlab.attacks import APGD, FGS, FGV, PGD, UAP, Attack, DeepFool, Noise
from advlab.defenses import Blur
from advlab.errors import ArgumentError
from advlab.training.recipe_text import parse_augmentation

X, LABELS = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1])


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(48, 3))


@pytest.mark.parametrize("attack", [PGD, APGD, UAP, FGS, FGV])
def test_no_l_infinity_radius_is_above_one(attack: type[Attack]) -> None:
    with pytest.raises(ArgumentError, match=r"8 of 255 grey levels are epsilon=0\.0313725"):
        attack(epsilon=8.0)  # type: ignore[call-arg]
    attack(epsilon=1.0)  # type: ignore[call-arg]


def test_a_weight_may_be_as_large_as_the_search_goes() -> None:
    assert FGV(epsilon=3.0, largest=4.0).epsilon == 3.0


@pytest.mark.parametrize("attack", [PGD(norm="l2", epsilon=7.0), APGD(norm="l2", epsilon=128.0)])
def test_an_l2_ball_that_holds_all_images_is_refused(attack: Attack) -> None:
    with pytest.raises(ArgumentError, match=r"48 pixels in \[0, 1\] are at most 6\.928 apart in L2\. (7|128) of 255"):
        attack(model(), X, LABELS)
    PGD(norm="l2", epsilon=6.9, steps=1)(model(), X, LABELS)
    Noise(norm="l2", epsilon=7.0)(model(), X, LABELS)  # which says its length before it is clipped


@pytest.mark.parametrize(("attack", "norm", "example"), [(PGD, "l2", 0.5), (APGD, "l2", 0.5), (Noise, "linf", 0.0314)])
def test_a_default_radius_is_not_one_of_another_norm(attack: type[Attack], norm: str, example: float) -> None:
    """8/255 in L2 moves nothing, and every network would look robust; 1 in L-infinity leaves nothing of an image."""
    with pytest.raises(ArgumentError, match=rf"give a length in norm={norm} with it, such as epsilon={example}"):
        attack(norm=norm)  # type: ignore[call-arg]
    assert attack(norm=norm, epsilon=example).norm_name == norm  # type: ignore[call-arg]
    assert attack(norm=norm, epsilon=0.0)  # type: ignore[call-arg]


@pytest.mark.parametrize("attack", [UAP, DeepFool])
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_an_attack_without_a_default_radius_takes_every_norm(attack: type[Attack], norm: str) -> None:
    assert attack(norm=norm).norm_name == norm  # type: ignore[call-arg]


def test_bounds_do_not_change_the_unit() -> None:
    with pytest.raises(ArgumentError, match="grey levels"):
        PGD(norm="l2", epsilon=7.0)(model(), X * 255, LABELS, bounds=(0, 255))


def test_adversarial_training_in_grey_levels_is_told() -> None:
    with pytest.raises(ArgumentError, match="8 of 255 grey levels are 8/255"):
        parse_augmentation("pgd_linf:8,2,7")
    assert parse_augmentation("pgd_linf:8/255,2/255,7")[1][0] == pytest.approx(8 / 255)


@pytest.mark.parametrize(("network", "said"), [(nn.Flatten, "Flatten is a class"), (None, "got NoneType")])
def test_what_is_no_network_is_told(network: object, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        FGS()(network, X, LABELS)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="network must be a function"):
        Blur()(network)  # type: ignore[arg-type]
