"""The interface of all attacks: whom it attacks, and that it believes no algorithm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from advlab.attacks import HotCold
from advlab.attacks.logits import margin
from advlab.attacks.problem import Problem
from advlab.attacks.results import AlgorithmResult
from advlab.attacks.status import Status
from tests.helpers.fake_attack import PIXELS, Fake, X, Y, first_pixels, with_largest


def test_a_lie_is_lost() -> None:
    result = Fake()(first_pixels, X, Y)
    assert result.status.tolist() == [Status.LOST] * 3 + [Status.INELIGIBLE]
    assert not result.success.any()


@pytest.mark.parametrize("says", list(Status))
def test_what_flips_has_succeeded_whatever_the_algorithm_says(says: Status) -> None:
    result = Fake(to=2, says=int(says))(first_pixels, X, Y)
    expected = Status.LOST if says == Status.SUCCESS else says  # the image of class 2 stays where it is
    assert result.status.tolist() == [Status.SUCCESS, Status.SUCCESS, expected, Status.INELIGIBLE]
    assert result.success.tolist() == [True, True, False, False]
    assert result.prediction.tolist() == [2, 2, 2, 0]
    assert result.margin[:2].tolist() == pytest.approx([2.5, 2.5])
    assert result.margin[2].item() == pytest.approx(-7.5)
    assert result.distance.tolist() == pytest.approx([0.75, 0.75, 0.25, 0.0])
    assert result.steps.tolist() == [3, 3, 3, 0]
    assert result.epsilon[:3].tolist() == [0.5] * 3
    assert bool(result.epsilon[3].isnan())
    assert result.facts == {"a": 1}
    assert result.forwards == 8
    assert torch.equal(result.adv[3], X[3])


def test_targets_decide_success_and_eligibility() -> None:
    result = Fake(to=2)(first_pixels, with_largest(0, 1, 2), torch.tensor([0, 1, 0]), targets=torch.tensor([2, 0, 2]))
    assert result.eligible.tolist() == [True, True, False]
    assert result.status.tolist() == [Status.SUCCESS, Status.LOST, Status.INELIGIBLE]
    fake = Fake(to=2)
    fake(first_pixels, X, Y, targets=torch.tensor([2, 2, 0, 2]))
    problem = fake.seen[0]
    assert problem.targets is not None
    assert problem.targets.tolist() == [2, 2, 0]
    assert problem.labels.tolist() == [0, 1, 2]
    assert torch.equal(problem.logits, first_pixels(X[:3]))


@pytest.mark.parametrize("norm", ["l1", "l2", "linf"])
def test_distances_are_in_units_of_the_bounds(norm: Any) -> None:
    expected = Fake(to=2, norm=norm)(first_pixels, X, Y).distance
    result = Fake(to=2, norm=norm)(lambda x: first_pixels(x / 4 + 0.5), (X - 0.5) * 4, Y, bounds=(-2.0, 2.0))
    assert expected.tolist() == pytest.approx([0.75, 0.75, 0.25, 0.0])  # one pixel moves: all norms are the same
    assert torch.allclose(result.distance, expected)


def test_all_misclassified_and_none_at_all() -> None:
    fake = Fake()
    result = fake(first_pixels, X, torch.tensor([1, 2, 0, 2]))
    assert not result.eligible.any()
    assert len(fake.seen[0]) == 0
    assert fake.seen[0].classes == 3
    assert torch.equal(result.adv, X)
    empty = fake(first_pixels, X[:0], Y[:0])
    assert empty.adv.shape == (0, *PIXELS)
    assert (empty.forwards, empty.backwards) == (0, 0)


def test_a_tie_is_no_success_and_not_eligible() -> None:
    logits = torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0], [torch.nan, 1.0, 0.0], [torch.inf, 0.0, 0.0]])
    y, t = torch.tensor([0, 0, 0, 1]), torch.tensor([1, 2, 1, 0])
    assert margin(logits, y, None).tolist() == [0.0, 2.0, -torch.inf, -torch.inf]
    assert margin(logits, y, t).tolist() == [0.0, -1.0, -torch.inf, -torch.inf]
    flat = torch.full((1, *PIXELS), 0.5)
    assert not Fake()(first_pixels, flat, torch.tensor([0])).eligible.any()


def test_clean_logits_that_are_not_numbers() -> None:
    result = Fake(to=2)(lambda x: torch.where(x.flatten(1)[:, :1] > 0.5, torch.nan, first_pixels(x)), X, Y)
    assert result.status.tolist() == [Status.NONFINITE, Status.SUCCESS, Status.LOST, Status.NONFINITE]
    assert result.eligible.tolist() == [False, True, True, False]
    assert torch.equal(result.adv[0], X[0])


def test_an_image_that_is_not_a_number_comes_back_as_lost() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Breaks(Fake):
        def run(self, problem: Problem) -> AlgorithmResult:
            n = len(problem)
            return AlgorithmResult(problem.x * torch.nan, torch.zeros(n), torch.zeros(n))

    assert Breaks()(first_pixels, X[:2], Y[:2]).status.tolist() == [Status.LOST, Status.LOST]


def test_logits_in_place_of_probabilities_pass() -> None:
    assert Fake(to=2)(lambda x: torch.log_softmax(first_pixels(x), 1), X, Y).success.tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_rounding_beyond_the_bounds_is_forgiven_in_their_unit() -> None:
    x = (X * 255).clamp(min=0)
    x[0, 0, 0, 0] = 255.0001
    fake = Fake()
    result = fake(lambda z: first_pixels(z / 255), x, Y, bounds=(0.0, 255.0))
    assert float(fake.seen[0].x.max()) <= 255.0
    assert float(result.adv.max()) <= 255.0


def test_modes_and_gradients_come_back_after_an_exception(network: Callable[..., nn.Sequential]) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Raises(Fake):
        def run(self, problem: Problem) -> AlgorithmResult:
            assert isinstance(problem.network.model, nn.Module)
            assert not any(module.training for module in problem.network.model.modules())
            assert not any(parameter.requires_grad for parameter in problem.network.model.parameters())
            raise KeyError("stop")

    net = network((1, 7, 5))
    net.train()
    net[1].eval()
    net[0].weight.requires_grad_(False)
    with pytest.raises(KeyError, match="stop"):
        Raises()(net, torch.rand(2, 1, 7, 5).double(), torch.tensor([0, 1]))
    assert [m.training for m in net] == [True, False, True, True, True, True]
    assert [p.requires_grad for p in net.parameters()] == [False, True, True, True, True, True]


def test_the_margin_of_hot_cold_is_that_of_its_success() -> None:
    def shadowed(x: torch.Tensor) -> torch.Tensor:  # class 2 never comes first: class 1 goes with it, and is ahead
        z = first_pixels(x)
        return torch.stack([z[:, 0], z[:, 1], z[:, 1] - 0.5], 1)

    x, labels, targets = with_largest(0), torch.tensor([0]), torch.tensor([2])
    aimed = HotCold()(shadowed, x, labels, targets=targets)
    assert aimed.success.tolist() == [True]
    assert aimed.prediction.tolist() == [1]
    assert float(aimed.margin) > 0
    reaching = HotCold(reach=True)(shadowed, x, labels, targets=targets)
    assert reaching.success.tolist() == [False]
    assert float(reaching.margin) < 0
