"""Stacked perceptrons: each is what it would be alone."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from advlab.training.batched_mlps import BatchedMLPs

WIDTHS = (2, 7, 5, 3)


def points(sizes: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    generator = Generator().manual_seed(0)
    xs = [torch.rand(n, 2, generator=generator) * 2 - 1 for n in sizes]
    teacher = torch.randn(2, 3, generator=generator)  # odd, as the stacked networks are
    return xs, [(x @ teacher).argmax(1) for x in xs]


def stack(count: int, deviation: float = 0.0) -> BatchedMLPs:
    return BatchedMLPs(count, WIDTHS, deviation=deviation, generator=Generator().manual_seed(1), device="cpu")


def test_one_network_alone_learns_the_same_in_plain_torch() -> None:
    xs, ys = points([30])
    found = stack(1)
    weights = [w[0].clone().requires_grad_() for w in found.weights]
    found.fit(xs, ys, steps=20, batch=16, lr=0.01, generator=Generator().manual_seed(2))
    generator = Generator().manual_seed(2)
    optimizer = torch.optim.Adam(weights, lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)
    for _ in range(20):
        index = (torch.rand(16, generator=generator, dtype=torch.float64) * 30).long()
        z = torch.tanh(torch.tanh(xs[0][index] @ weights[0]) @ weights[1]) @ weights[2]
        optimizer.zero_grad()
        F.cross_entropy(z, ys[0][index]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    for one, two in zip(found.weights, weights, strict=True):
        torch.testing.assert_close(one[0], two.detach(), atol=1e-5, rtol=1e-4)
    x = torch.rand(9, 2)
    assert found(x).shape == (1, 9, 3)
    torch.testing.assert_close(found.logits_of(0, x), found(x)[0])


def test_what_one_learns_does_not_depend_on_the_others() -> None:
    xs, ys = points([30, 12, 50])
    alone, together = stack(1), stack(3)
    alone.fit(xs[1:2], ys[1:2], steps=15, batch=8, lr=0.01, generator=Generator().manual_seed(2))
    together.fit(xs, ys, steps=15, batch=8, lr=0.01, generator=Generator().manual_seed(2))
    for one, many in zip(alone.weights, together.weights, strict=True):
        torch.testing.assert_close(one[0], many[1], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(together.weights[0][0], together.weights[0][2])


def test_it_fits_its_points() -> None:
    xs, ys = points([40, 40])
    found = stack(2)
    found.fit(xs, ys, steps=300, batch=40, lr=0.03, generator=Generator().manual_seed(0))
    for s in range(2):
        assert (found.logits_of(s, xs[s]).argmax(1) == ys[s]).float().mean() > 0.9


def test_initial_weights() -> None:
    wide = BatchedMLPs(2, (100, 100, 3), deviation=1.0, generator=Generator().manual_seed(0), device="cpu")
    assert torch.equal(wide.weights[0][0], wide.weights[0][1])
    assert float(wide.weights[0].std()) == pytest.approx(1, abs=0.02)
    scaled = BatchedMLPs(1, (100, 100, 3), deviation=0.0, generator=Generator().manual_seed(0), device="cpu")
    assert float(scaled.weights[0].std()) == pytest.approx(0.1, abs=0.002)


def test_bad_values() -> None:
    with pytest.raises(ValueError, match="above 0"):
        stack(0)
    with pytest.raises(ValueError, match="2 sets"):
        stack(2).fit(*points([3]), steps=1, batch=1, lr=0.1, generator=Generator())
    with pytest.raises(ValueError, match="at least one point"):
        stack(2).fit(*points([3, 0]), steps=1, batch=1, lr=0.1, generator=Generator())
