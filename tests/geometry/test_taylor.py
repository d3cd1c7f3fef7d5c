"""Ranges and deviations over spheres against draws, and derivatives of saturated scores against float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from advlab.geometry.scaled_score import scaled_score
from advlab.geometry.taylor import deviation_on_sphere, euclidean, normal_range


def test_the_range_of_normal_draws_and_lengths() -> None:
    assert normal_range(2) == pytest.approx(2 / math.sqrt(math.pi), rel=1e-6)
    draws = np.random.default_rng(0).normal(size=(20000, 100))
    assert normal_range(100) == pytest.approx(float(np.ptp(draws, axis=1).mean()), rel=5e-3)
    v = torch.rand(4000, 200, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert euclidean(3.0, "linf", 200) == pytest.approx(3 * float((v.norm(dim=1) / v.abs().amax(1)).mean()), rel=5e-3)
    assert euclidean(3.0, "l2", 200) == 3


@pytest.mark.parametrize(("linear", "quadratic"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_the_deviation_over_a_sphere_is_that_of_draws(linear: float, quadratic: float) -> None:
    generator = torch.Generator().manual_seed(4)
    size, length = 7, 1.7
    g = linear * torch.randn(size, generator=generator, dtype=torch.float64)
    a = quadratic * torch.randn(size, size, generator=generator, dtype=torch.float64)
    h = a + a.T + quadratic * 3 * torch.eye(size, dtype=torch.float64)  # its trace does not count
    v = torch.randn(400_000, size, generator=generator, dtype=torch.float64)
    v *= length / v.norm(dim=1, keepdim=True)
    drawn = float((v @ g + 0.5 * ((v @ h) * v).sum(1)).std())
    rest = (h - h.trace() / size * torch.eye(size, dtype=torch.float64)).norm()
    assert float(deviation_on_sphere(g.norm()[None], rest[None], size, length)[0]) == pytest.approx(drawn, rel=5e-3)


@pytest.mark.parametrize("of", ["score", "logit"])
@pytest.mark.parametrize("gap", [0.5, 30.0, 300.0])
def test_a_saturated_score_keeps_its_gradient(of: str, gap: float) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(9, 3))
    x, labels = torch.rand(4, 1, 3, 3), torch.tensor([1, 0, 1, 2])
    with torch.no_grad():
        network[1].bias.mul_(0)  # type: ignore[operator, union-attr]
        shift = gap * nn.functional.one_hot(labels, 3).float()
    z = x.clone().requires_grad_()
    function, scale = scaled_score(lambda y: network(y) + shift, x, labels, of)
    (gradient,) = torch.autograd.grad(function(z).sum(), z)
    exact = network.double()
    y = x.double().requires_grad_()
    logits = exact(y) + shift
    mask = nn.functional.one_hot(labels, 3).bool()
    against = logits.masked_fill(mask, -torch.inf).logsumexp(1) - logits[mask]
    # of log(1 - s), to stay in range; d s = -(1 - s) d log(1 - s)
    value = nn.functional.logsigmoid(against) if of == "score" else against
    (expected,) = torch.autograd.grad(-value.sum(), y)
    assert torch.allclose(gradient.double(), expected, rtol=1e-4, atol=1e-7)
    log_scale = nn.functional.logsigmoid(against).detach() if of == "score" else torch.zeros(4)
    assert scale.log().tolist() == pytest.approx(log_scale.tolist(), rel=1e-5, abs=1e-5)
