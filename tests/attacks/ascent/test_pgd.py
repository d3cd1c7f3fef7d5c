"""Projected gradient ascent: optima in closed form, the ball, random starts, restarts, and the loss's direction.

Longer than other files: one algorithm, and every way in which it ends.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from advlab.attacks.ascent.pgd.algorithm import loss_cotangent
from advlab.attacks.ascent.pgd.params import PGD
from advlab.attacks.logits import margin
from advlab.attacks.norms import norms_of_each

NORMS = pytest.mark.parametrize("norm", ["l2", "linf"])


class Tanh(nn.Module):
    """A small smooth network with K classes."""

    def __init__(self, k: int = 4, scale: float = 3.0) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(0)
        self.a = nn.Parameter(torch.randn(12, 30, generator=g) * scale / 5)
        self.b = nn.Parameter(torch.randn(30, k, generator=g))

    def forward(self, x: Tensor) -> Tensor:
        """(N, K) logits of (N, 3, 2, 2) images."""
        return torch.tanh((x.flatten(1) - 0.5) @ self.a) @ self.b


def case(n: int = 9) -> tuple[Tanh, Tensor, Tensor]:
    """A network, images and their predictions."""
    model = Tanh().double()
    x = torch.rand(n, 3, 2, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        return model, x, model(x).argmax(1)


@NORMS
@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_the_optimum_of_a_linear_model(norm: Any, targeted: bool, loss: Any) -> None:
    """Two classes: the loss is largest where w' r is, in the ball and the box: by bisection over the box's multiplier."""
    g = torch.Generator().manual_seed(2)
    w = torch.randn(12, generator=g, dtype=torch.float64)
    x = torch.rand(6, 3, 2, 2, generator=g, dtype=torch.float64)
    x[:, 0] = 0.02  # some pixels soon reach their bound

    def model(images: Tensor) -> Tensor:
        z = 40 + images.flatten(1) @ w  # so confident that a softmax in float64 gives exactly 1
        return torch.stack([z, torch.zeros_like(z)], 1)

    y = torch.zeros(6, dtype=torch.int64)
    epsilon = 0.3
    attack = PGD(norm=norm, epsilon=epsilon, steps=200, step=0.05, random_start=False, loss=loss)
    result = attack(model, x, y, targets=1 - y if targeted else None)
    reached = (result.adv - x).flatten(1) @ -w
    flat = x.flatten(1)
    if norm == "linf":
        best = torch.where(w > 0, flat - (flat - epsilon).clamp(min=0), (flat + epsilon).clamp(max=1) - flat) @ w.abs()
    else:
        low, high = torch.zeros(6, 1, dtype=torch.float64), torch.full((6, 1), 1e3, dtype=torch.float64)
        for _ in range(100):
            middle = (low + high) / 2
            r = (flat - middle * w).clamp(0, 1) - flat
            short = torch.linalg.vector_norm(r, dim=1, keepdim=True) <= epsilon
            low, high = torch.where(short, middle, low), torch.where(short, high, middle)
        best = ((flat - low * w).clamp(0, 1) - flat) @ -w
    # steps of fixed length end near the optimum, and cannot be beyond it
    assert float((reached / best).min()) > 0.995
    assert float((reached / best).max()) < 1 + 1e-9


def test_one_step_is_a_step() -> None:
    model, x, y = case()
    for norm in ("l2", "linf"):
        attack = PGD(norm=norm, epsilon=0.01, steps=1, step=0.5, random_start=False)  # type: ignore[arg-type]
        result = attack(model, x, y)
        z = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(nn.functional.cross_entropy(model(z), y, reduction="sum"), z)
        step = g.sign() if norm == "linf" else g / norms_of_each(g, "l2")[:, None, None, None]
        torch.testing.assert_close(result.adv, (x + 0.005 * step).clamp(0, 1))
        t = (y + 1) % 4
        aimed = attack(model, x, y, targets=t)
        (g,) = torch.autograd.grad(nn.functional.cross_entropy(model(z), t, reduction="sum"), z)
        step = g.sign() if norm == "linf" else g / norms_of_each(g, "l2")[:, None, None, None]
        torch.testing.assert_close(aimed.adv, (x - 0.005 * step).clamp(0, 1))


def test_the_direction_is_the_gradient_of_the_loss() -> None:
    logits = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    y = torch.arange(7) % 5
    (g,) = torch.autograd.grad(nn.functional.cross_entropy(logits, y, reduction="sum"), logits)
    found = loss_cotangent(logits.detach(), y, "cross_entropy")
    torch.testing.assert_close(found / found.norm(dim=1, keepdim=True), g / g.norm(dim=1, keepdim=True))
    (g,) = torch.autograd.grad(margin(logits, y, None).sum(), logits)
    torch.testing.assert_close(loss_cotangent(logits.detach(), y, "margin"), g)


def test_a_confident_network_in_float32_is_no_dead_end() -> None:
    """The cross-entropy's gradient is 0 in float32 at a gap of 200 logits: its direction is not."""
    w = torch.linspace(-1, 1, 12)

    def model(x: Tensor) -> Tensor:
        z = 200 + 400 * (x.flatten(1) - 0.5) @ w
        return torch.stack([z, torch.zeros_like(z)], 1)

    x = torch.full((2, 3, 2, 2), 0.5)
    result = PGD(epsilon=0.2, random_start=False)(model, x, torch.zeros(2, dtype=torch.int64))
    assert result.success.all()


@NORMS
def test_epsilon_zero_is_the_identity(norm: Any) -> None:
    model, x, y = case()
    result = PGD(norm=norm, epsilon=0)(model, x, y)
    assert torch.equal(result.adv, x)
    assert not result.success.any()
    assert result.backwards == 0


@NORMS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ball_and_bounds_hold_in_any_unit(norm: Any, dtype: torch.dtype) -> None:
    model, x, y = case(20)
    model, x = model.to(dtype), x.to(dtype)
    attack = PGD(norm=norm, epsilon=0.4, steps=5, step=0.7, restarts=2)
    result = attack(model, x, y)
    assert float(result.distance.max()) <= 0.4 * (1 + 1e-6)
    assert float(result.distance.min()) > 0.1
    assert float(result.adv.min()) >= 0
    assert float(result.adv.max()) <= 1
    wide = attack(lambda images: model((images + 128) / 255), x * 255 - 128, y, bounds=(-128, 127))
    torch.testing.assert_close(wide.distance, result.distance, rtol=1e-3, atol=1e-4)
    assert float((wide.success == result.success).float().mean()) >= 0.9
    if dtype == torch.float64:
        torch.testing.assert_close(wide.adv, result.adv * 255 - 128, rtol=1e-6, atol=1e-6)


@NORMS
def test_the_other_images_do_not_matter(norm: Any) -> None:
    model, x, y = case(12)
    attack = PGD(norm=norm, epsilon=0.15, steps=6, restarts=3)
    whole = attack(model, x, y)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(attack(model, x[order], y[order], batch_size=5).adv, whole.adv[order])
    for i in (0, 7):
        torch.testing.assert_close(attack(model, x[i : i + 1], y[i : i + 1]).adv, whole.adv[i : i + 1])
    assert not torch.equal(PGD(norm=norm, epsilon=0.15, steps=6, restarts=3, seed=1)(model, x, y).adv, whole.adv)


@NORMS
def test_random_starts_fill_the_ball(norm: Any) -> None:
    """Steps of no length leave the start: the share within a fraction of the radius is that of the volume."""
    x = torch.rand(2000, 1, 2, 2, generator=torch.Generator().manual_seed(0)) * 0.2 + 0.4
    x = (x * 255).round() / 255
    result = PGD(norm=norm, epsilon=0.2, steps=1, step=1e-9)(
        lambda images: torch.stack([images.mean((1, 2, 3)) + 9, images.amax((1, 2, 3))], 1),
        x,
        torch.zeros(2000, dtype=torch.int64),
    )
    radius = (result.distance / 0.2).double().numpy() ** 4  # D = 4: uniform on [0, 1]
    quantiles = np.quantile(radius, [0.1, 0.5, 0.9])
    np.testing.assert_allclose(quantiles, [0.1, 0.5, 0.9], atol=0.05)
    r = (result.adv - x).flatten(1)
    assert float(r.mean(0).abs().max()) < 0.01


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_restarts_are_never_worse(loss: Any) -> None:
    model, x, y = case(60)
    for norm, epsilon in (("l2", 0.12), ("linf", 0.05)):
        results = [
            PGD(norm=norm, epsilon=epsilon, steps=3, step=0.3, restarts=count, loss=loss)(model, x, y)  # type: ignore[arg-type]
            for count in (1, 2, 6)
        ]
        for fewer, more in itertools.pairwise(results):
            assert bool((more.success >= fewer.success).all())
            failed = ~more.success
            assert bool((more.margin[failed] >= fewer.margin[failed] - 1e-12).all())
            torch.testing.assert_close(more.adv[fewer.success], fewer.adv[fewer.success])  # the first success is kept
        assert not torch.equal(results[0].margin, results[2].margin)
        # images that have succeeded are not attacked again
        assert int(results[2].steps[results[0].success].max()) == 3
        assert results[2].backwards == int(results[2].steps.sum())


@NORMS
def test_the_iterate_of_the_largest_margin_is_returned(norm: Any) -> None:
    """Steps as long as the ball go past the best point; the last iterate is often another one."""
    model, x, y = case(30)
    seen: list[Tensor] = []
    handle = model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach().clone()))
    result = PGD(norm=norm, epsilon=0.15, steps=6, step=1.5)(model, x, y)
    handle.remove()
    iterates = seen[1:-1]  # without the checks before and after
    assert len(iterates) == 7
    with torch.no_grad():
        margins = torch.stack([margin(model(z), y, None) for z in iterates])
    torch.testing.assert_close(result.margin, margins.amax(0))
    assert bool((margins[-1] < margins.amax(0) - 1e-6).any())


def test_what_cannot_move_says_why() -> None:
    x = torch.rand(3, 1, 2, 2)
    y = torch.zeros(3, dtype=torch.int64)

    def flat(images: Tensor) -> Tensor:
        return torch.relu(-images.flatten(1)[:, :2] - 1) + torch.tensor([2.0, 0.0])

    for norm in ("l2", "linf"):
        result = PGD(norm=norm, epsilon=0.1, random_start=False)(flat, x, y)  # type: ignore[arg-type]
        assert torch.equal(result.adv, x)
        assert result.status.tolist() == [2, 2, 2]

    def root(images: Tensor) -> Tensor:  # its slope at 0 is infinite times 0
        rest = (images.flatten(1)[:, 0] * 0).sqrt()
        return torch.stack([2 + rest, rest * 0], 1)

    for norm in ("l2", "linf"):
        result = PGD(norm=norm, epsilon=0.1, random_start=False)(root, x, y)  # type: ignore[arg-type]
        assert torch.equal(result.adv, x)
        assert result.status.tolist() == [6, 6, 6]


def test_empty_batch_and_bad_values() -> None:
    model, x, y = case(2)
    assert len(PGD(restarts=2)(model, x[:0], y[:0]).adv) == 0
    for wrong, name in (
        ({"steps": 0}, "steps"),
        ({"step": 0}, "step"),
        ({"epsilon": -1}, "epsilon"),
        ({"restarts": 0}, "restarts"),
    ):
        with pytest.raises(ValueError, match=name):
            PGD(**wrong)  # type: ignore[arg-type]
