"""A defense in front of what is defended already: a classifier, or a user's own network that draws or rejects."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import PGD
from advlab.attacks.defended import Defended
from advlab.attacks.network import CountedNetwork
from advlab.defenses import Blur, Chain, Noise, Round
from advlab.defenses.defended_network import DefendedNetwork
from advlab.errors import ArgumentError
from advlab.lab.defended_classifier import DefendedClassifier
from advlab.models.classifier import Classifier
from advlab.models.forward import Execution, Forward
from tests.helpers.rejecting import Cautious, at_first_pixels, class_zero


class Jittery(nn.Module):
    """Two logits, -/+ (p - .5 + trial), of the first pixel p: what it draws is the trial."""

    differentiable, random, rejects = False, True, False

    def draw(self, x: Tensor, trial: int | Tensor = 0) -> Any:
        return torch.as_tensor(trial).expand(len(x))

    def logits(self, x: Tensor, draw: Any = None) -> Tensor:
        rise = x[:, 0, 0, 0] - 0.5 + (0 if draw is None else draw)
        return torch.stack([-rise, rise], 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.logits(x)


def classifier() -> Classifier:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Tanh(), nn.Linear(8, 3))
    return Classifier(layers, name="toy", shape=(1, 6, 6), mean=None, std=None).eval()


def test_in_front_of_a_defended_classifier() -> None:
    """As the chain of both, in every trial."""
    plain, x = classifier(), torch.rand(3, 1, 6, 6)
    nested, chain = Blur()(DefendedClassifier(plain, Noise(sigma=0.1))), Chain(of=(Blur(), Noise(sigma=0.1)))(plain)
    assert nested.random
    assert isinstance(nested, Defended)
    for trial in (0, 3):
        torch.testing.assert_close(nested.logits(x, nested.draw(x, trial)), chain.logits(x, chain.draw(x, trial)))
    counted = CountedNetwork(nested, 64, 4)
    counted.forward(x)
    assert counted.forwards == 3 * 4
    assert not Blur()(DefendedClassifier(plain, Round())).differentiable


def test_in_front_of_a_defended_classifier_in_lower_precision() -> None:
    forward = Forward(DefendedClassifier(classifier(), Noise(sigma=0.1)), Execution(64, "contiguous", "bf16"))
    nested, x = Blur()(forward.attack_target), torch.rand(3, 1, 6, 6)
    assert nested.random
    assert not nested.logits(x, nested.draw(x, 0)).equal(nested.logits(x, nested.draw(x, 1)))


def test_in_front_of_a_network_that_draws() -> None:
    x = at_first_pixels(0.1, 0.9)
    defended = Round(levels=2)(Jittery())
    assert (defended.differentiable, defended.random, defended.rejects) == (False, True, False)
    assert defended(x)[:, 1].tolist() == [-0.5, 0.5]
    assert defended.logits(x, defended.draw(x, 4))[:, 1].tolist() == [3.5, 4.5]
    both = Noise(sigma=1e-3)(Round(levels=2)(Jittery()))
    assert both.logits(x, both.draw(x, torch.tensor([1, 2])))[:, 1].tolist() == [0.5, 2.5]
    assert CountedNetwork(Blur(sigma=0.1)(Jittery()), 64, 4).forward(x)[:, 1].tolist() == pytest.approx([1.1, 1.9])
    assert not Blur()(Jittery()).differentiable


def test_in_front_of_a_network_that_rejects() -> None:
    x = at_first_pixels(0.1, 0.25)
    defended = Round(levels=5)(Cautious())
    assert (defended.differentiable, defended.random, defended.rejects) == (False, False, True)
    assert isinstance(defended, DefendedNetwork)
    result = PGD(epsilon=0.4, norm="linf", random_start=False)(defended, x, class_zero(x))
    assert result.rejected.tolist() == [True, False]  # at .5, and at .65, which is rounded to .75
    assert result.success.tolist() == [False, True]
    assert defended(x).shape == (2, 3)


def test_a_second_reject_output_is_refused() -> None:
    class Rejecting(DefendedNetwork):
        pass

    stage = Blur().stages((0.0, 1.0), {})[0]
    stage.rejects = True
    for network in (Cautious(), Rejecting(Cautious(), [])):
        with pytest.raises(ArgumentError, match="the network behind the defense rejects images already"):
            DefendedNetwork(network, [stage])
