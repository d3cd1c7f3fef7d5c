"""Attacks on defended networks: gradients through a defense (BPDA), means over draws (EOT), and what is judged on which draws."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import FGS, LBFGS, PGD, UAP, Attack, DeepFool, HotCold, Library, Noise
from advlab.attacks.network import CountedNetwork
from advlab.attacks.status import Status
from advlab.defenses import Blur, Chain, Round, Shift
from advlab.defenses import Noise as NoiseDefense
from advlab.defenses.defended_network import DefendedNetwork
from tests.helpers.networks import make_network

ATTACKS = [
    DeepFool(draws=3), PGD(epsilon=0.1, steps=5, draws=3), FGS(draws=3), HotCold(hot=0, draws=3),
    LBFGS(searches=3, max_iter=5, draws=3), UAP(epsilon=0.2, passes=1, draws=3), Noise(epsilon=2.0, draws=3),
]  # fmt: skip
RANDOM = Chain(of=(Shift(), Blur(sigma=0.5), NoiseDefense(sigma=0.03)))


def smooth() -> nn.Sequential:
    return make_network((2, 5, 4), classes=3)


def images(n: int = 6) -> Tensor:
    return torch.rand(n, 2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def mean_logits(network: DefendedNetwork, x: Tensor, trials: range) -> Tensor:
    return torch.stack([network.logits(x, network.draw(x, trial)) for trial in trials]).mean(0)


class Fickle(nn.Module):
    """Two classes by the first pixel, 0 below .5; draws from trial `change` on move that boundary by `shift`."""

    differentiable, random, rejects = True, True, False

    def __init__(self, change: int, shift: float) -> None:
        super().__init__()
        self.change, self.shift = change, shift
        self.trials: list[int] = []

    def draw(self, x: Tensor, trial: int | Tensor = 0) -> Any:
        assert isinstance(trial, Tensor)
        self.trials += trial.tolist()
        return trial

    def logits(self, x: Tensor, draw: Any = None) -> Tensor:
        rise = 10 * (x[:, 0, 0, 0] - 0.5 - self.shift * (draw >= self.change))
        return torch.stack([-rise, rise], 1)

    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("a random network is asked with a draw")


@pytest.mark.parametrize("draws", [1, 4])
@pytest.mark.parametrize("batch_size", [1, 3, 20])
def test_what_is_attacked_is_the_mean_over_draws(draws: int, batch_size: int) -> None:
    network, x = RANDOM(smooth()), images()
    with torch.no_grad():
        network.eval()
        counted = CountedNetwork(network, batch_size, draws)
        assert counted.batch_size == max(1, batch_size // draws)
        assert torch.allclose(counted.forward(x), mean_logits(network, x, range(draws)), rtol=0, atol=1e-13)
        judged = counted.raw_forward(x, judging=True)
        assert torch.allclose(judged, mean_logits(network, x, range(draws, 2 * draws)), rtol=0, atol=1e-13)
        assert not torch.allclose(judged, counted.forward(x), rtol=0, atol=1e-6)
        assert counted.forwards == 3 * draws * len(x)


def test_eot_gradients_are_finite_differences_of_the_mean_over_fixed_draws() -> None:
    draws, step = 5, 1e-6
    network, x = RANDOM(smooth()).eval(), images(2)
    counted = CountedNetwork(network, 8, draws)
    cotangent = torch.tensor([[1.0, -0.5, 0.2], [0.0, 1.0, -1.0]], dtype=torch.float64)
    gradient = counted.linearise(x).vjp(cotangent)
    assert counted.backwards == 2 * draws
    fixed = [network.draw(x, trial) for trial in range(draws)]

    def value(point: Tensor) -> Tensor:
        mean = torch.stack([network.logits(point, draw) for draw in fixed]).mean(0)
        return (mean * cotangent).sum()

    with torch.no_grad():
        for place in ((0, 0, 0, 0), (0, 1, 4, 3), (1, 0, 2, 2), (1, 1, 3, 0)):
            up, down = x.clone(), x.clone()
            up[place] += step
            down[place] -= step
            assert abs(float((value(up) - value(down)) / (2 * step) - gradient[place])) < 1e-8


def test_bpda_takes_the_networks_gradient_at_the_defended_image() -> None:
    network, x = smooth(), images(2)
    counted = CountedNetwork(Round(levels=4)(network).eval(), 8)
    cotangent = torch.ones(2, 3, dtype=torch.float64)
    found = counted.linearise(x).vjp(cotangent)
    expected = CountedNetwork(network, 8).linearise((x * 3).round() / 3).vjp(cotangent)
    assert torch.allclose(found, expected, rtol=0, atol=1e-14)


def test_pgd_crosses_a_defense_without_a_gradient() -> None:
    """Two grey levels are left: the boundary of the network behind them is crossed by moving every pixel past one half."""
    weight = torch.ones(2, 4, dtype=torch.float64)
    weight[0] = -1

    def network(x: Tensor) -> Tensor:
        return (x.flatten(1) - 0.5) @ weight.T

    x = torch.full((1, 1, 2, 2), 0.35, dtype=torch.float64)
    defended, label = Round(levels=2)(network), torch.tensor([0])
    result = PGD(epsilon=0.2, random_start=False)(defended, x, label)
    assert bool(result.success)
    assert result.facts["defense"]["gradient"] == "straight-through"
    assert not PGD(epsilon=0.1, random_start=False)(defended, x, label).success.any()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.label)
def test_results_are_judged_on_draws_that_the_attack_has_not_seen(attack: Attack) -> None:
    x = torch.full((1, 2, 2, 2), 0.25, dtype=torch.float64)
    x[0, 1] = torch.rand(2, 2)
    label = torch.tensor([0])
    for shift, found in ((0.0, True), (3.0, False)):  # the boundary that judges is the attack's, or out of reach
        network = Fickle(change=3, shift=shift)
        strong = attack if not isinstance(attack, PGD | UAP) else type(attack)(epsilon=0.5, draws=3)
        result = strong(network, x, label)
        assert bool(result.eligible)
        if isinstance(attack, Noise):
            assert found or not result.success.any()
            continue
        assert bool(result.success) == found
        assert float(result.adv[0, 0, 0, 0]) > 0.5
        if isinstance(attack, DeepFool):
            assert Status(int(result.status)) == (Status.SUCCESS if found else Status.LOST)
        assert max(network.trials) == 5
        assert result.forwards == len(network.trials)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.label)
def test_only_what_both_sets_of_draws_call_correct_is_eligible(attack: Attack) -> None:
    """So an image that has not moved is never a success."""
    x = torch.full((1, 2, 2, 2), 0.25, dtype=torch.float64)
    result = attack(Fickle(change=3, shift=-0.4), x, torch.tensor([0]))
    assert not result.eligible.any()
    assert not result.success.any()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.label)
def test_results_are_a_function_of_the_image(attack: Attack) -> None:
    network, x = RANDOM(smooth()).eval(), images()
    labels = CountedNetwork(network, 100, 3).forward(x).argmax(1)
    once = attack(network, x, labels)
    assert bool(once.eligible.any())
    defense = {
        "differentiable": True,
        "random": True,
        "rejects": False,
        "draws": 3,
        "gradient": "exact, averaged over draws",
    }
    assert once.facts["defense"] == defense
    again = attack(network, x, labels)
    assert torch.equal(again.adv, once.adv)
    if attack.set_level or isinstance(attack, LBFGS | HotCold):  # rounding moves the points, and with them the draws
        return
    for batch_size in (2, 7):
        other = attack(network, x, labels, batch_size=batch_size)
        assert torch.equal(other.eligible, once.eligible)


def test_a_deterministic_defense_is_attacked_like_any_network() -> None:
    """As the same filter in front of the network, which is no defense, and at the same cost."""
    network, x = smooth(), images()
    blur = Blur()(nn.Identity())
    labels = network(blur(x)).argmax(1)
    for attack in (DeepFool(), PGD(epsilon=0.1, steps=5), FGS()):
        defended, plain = attack(Blur()(network), x, labels), attack(nn.Sequential(blur, network), x, labels)
        assert torch.equal(defended.adv, plain.adv)
        assert (defended.forwards, defended.backwards) == (plain.forwards, plain.backwards)
        assert defended.facts["defense"]["gradient"] == "exact"
        assert "defense" not in plain.facts
        assert not defended.rejected.any()


def test_draws_must_be_positive() -> None:
    for kind in (DeepFool, PGD, FGS, HotCold, LBFGS, UAP, Noise, Library):
        with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
            kind(draws=0)


def test_refined_deepfool_without_success_behind_a_random_defense_says_so() -> None:
    """Nothing is left to be refined: a network whose logits do not depend on the image is asked for no further one."""
    network = smooth()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    x = images(3)
    result = DeepFool(refine=True, draws=2)(RANDOM(network).eval(), x, torch.zeros(3, dtype=torch.int64))
    assert not result.success.any()
    assert torch.equal(result.adv, x)
