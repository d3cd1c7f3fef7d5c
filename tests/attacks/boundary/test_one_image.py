"""DeepFool on single images: what the batched one finds, with fewer gradients at every further visit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from advlab.attacks import DeepFool
from advlab.attacks.boundary.deepfool.one_image import OneImageDeepFool
from advlab.attacks.network import CountedNetwork
from advlab.attacks.problem import Problem


def problem_of(model: nn.Module, x: Tensor) -> Problem:
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with torch.no_grad():
        logits = model(x)
    return Problem(CountedNetwork(model, 16), x, logits.argmax(1), None, logits, (0.0, 1.0))


def network() -> nn.Sequential:
    """Piecewise linear, and bent enough for several steps."""
    torch.manual_seed(0)
    layers = [nn.Flatten(), nn.Linear(84, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 6)]
    model = nn.Sequential(*layers).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


def images(n: int = 30) -> Tensor:
    return torch.rand((n, 2, 6, 7), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize(
    ("candidates", "overshoot", "max_iter"), [(0, 0.02, 20), (2, 0.02, 20), (0, 0.5, 20), (0, 0.02, 1)]
)
def test_it_is_the_deepfool_of_a_batch(candidates: int, overshoot: float, max_iter: int) -> None:
    model, x = network(), images()
    problem = problem_of(model, x)
    single = OneImageDeepFool(problem, max_iter=max_iter, overshoot=overshoot, candidates=candidates)
    batch = DeepFool(clip="none", overshoot=overshoot, max_iter=max_iter, candidates=candidates)
    expected = batch(model, x, problem.labels)
    assert 0 < int(expected.success.sum()) < len(x) if max_iter == 1 else bool(expected.success.all())
    assert int(expected.steps.max()) > 2 or overshoot == 0.5 or max_iter == 1
    costs = []
    for _ in range(2):
        before = problem.network.backwards
        for i in range(len(x)):
            r, count = single(i, x[i : i + 1])
            assert torch.allclose(x[i] + r[0], expected.adv[i], atol=1e-9)
            assert count == (int(expected.steps[i]) if bool(expected.success[i]) else -1)
        costs.append(problem.network.backwards - before)
    assert costs[0] <= expected.backwards
    assert costs[1] < costs[0] or candidates


def test_it_starts_where_it_is_told() -> None:
    model, x = network(), images()
    problem = problem_of(model, x)
    single = OneImageDeepFool(problem, max_iter=20, overshoot=0.02, candidates=0)
    for i in range(5):
        r, count = single(i, x[i : i + 1])
        assert count > 0
        there, none = single(i, x[i : i + 1] + r, problem.linearise(x[i : i + 1] + r))
        assert none == 0, "it is fooled there already"
        assert not bool(there.any())
        half, _ = single(i, x[i : i + 1] + r / 2)
        assert float(half.norm()) < 0.75 * float(r.norm())


def test_no_gradient_and_no_finite_logits_are_failures(linear: type[nn.Module]) -> None:
    flat = linear(torch.zeros(3, 4), torch.tensor([1.0, 0.0, 0.0]))
    x = torch.full((1, 1, 2, 2), 0.5)
    r, count = OneImageDeepFool(problem_of(flat, x), max_iter=5, overshoot=0.02, candidates=0)(0, x)
    assert (count, float(r.abs().max())) == (-1, 0.0)

    for value in (torch.nan, torch.inf, -torch.inf):
        problem = problem_of(flat, x)
        problem.network.model = linear(torch.zeros(3, 4), torch.tensor([1.0, value, 0.0]))
        assert OneImageDeepFool(problem, max_iter=5, overshoot=0.02, candidates=0)(0, x)[1] == -1
        assert problem.network.backwards == 0
