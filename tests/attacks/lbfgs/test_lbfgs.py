"""L-BFGS: SciPy's as the oracle of the minimiser, and the smallest perturbations of linear models of the attack.

Longer than other files: the minimiser and the attack are held against the same SciPy search.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from advlab.attacks.lbfgs.box_lbfgs import BoxLBFGS
from advlab.attacks.lbfgs.objective import objective
from advlab.attacks.lbfgs.params import LBFGS

Function = Callable[[Tensor], tuple[Tensor, Tensor]]


def network(k: int = 5) -> nn.Sequential:
    """A small smooth network on (N, 1, 6, 6) images."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 24), nn.Tanh(), nn.Linear(24, k)).double()
    for parameter in net.parameters():
        parameter.data *= 3
    return net.requires_grad_(False)


def images(n: int = 12) -> Tensor:
    """Images of which a third of the pixels lie at a bound."""
    x = torch.rand(n, 1, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x[:, :, :2] = 0
    return x


def minimise(function: Function, low: Tensor, high: Tensor, first: float, iterations: int = 500) -> Tensor:
    """(n,) smallest values that the batched minimiser reaches from 0."""
    n = len(low)
    box = BoxLBFGS(low.clone(), high.clone(), history=10, max_iter=iterations)
    box.restart(torch.arange(n), torch.zeros_like(low), torch.full((n,), first, dtype=low.dtype))
    values, running = torch.full((n,), torch.nan, dtype=low.dtype), torch.ones(n, dtype=torch.bool)
    for _ in range(5000):
        points = box.points()
        assert bool(((points >= low) & (points <= high)).all())
        done = box.tell(points, *function(points)) & running
        values[done] = box.value[done]
        running &= ~done
        if not running.any():
            break
    assert not running.any()
    return values


def scipys(function: Function, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) values and (n, D) minimisers of SciPy, row by row."""

    def row(i: int, z: np.ndarray) -> tuple[float, np.ndarray]:
        points = torch.zeros_like(low)
        points[i] = torch.from_numpy(z)
        value, gradient = function(points)
        return float(value[i]), gradient[i].numpy()

    found = [
        minimize(
            lambda z, i=i: row(i, z), np.zeros(low.shape[1]), jac=True, method="L-BFGS-B",
            bounds=list(zip(low[i].tolist(), high[i].tolist(), strict=True)), options={"maxiter": 500},
        )
        for i in range(len(low))
    ]  # fmt: skip
    return torch.tensor([f.fun for f in found], dtype=low.dtype), torch.from_numpy(np.stack([f.x for f in found]))


def penalised(
    model: Callable[[Tensor], Tensor], x: Tensor, wanted: Tensor, weight: float, targeted: bool, away: bool
) -> Function:
    """The objective of all images as a function of r, by autograd through torch's own cross-entropy."""

    def function(r: Tensor) -> tuple[Tensor, Tensor]:
        z = r.detach().clone().requires_grad_()
        log_p = torch.log_softmax(model(x + z.view_as(x)), 1).gather(1, wanted[:, None])[:, 0]
        loss = -log_p if targeted else -torch.log(-torch.expm1(log_p)) if away else log_p
        value = weight * (z * z).sum(1) + loss
        (gradient,) = torch.autograd.grad(value.sum(), z)
        return value.detach(), gradient

    return function


# the minimiser


@pytest.mark.parametrize("weight", [1.0, 0.1, 0.01, 0.001])
@pytest.mark.parametrize(("targeted", "away"), [(True, False), (False, True)])
def test_it_reaches_what_scipy_reaches(weight: float, targeted: bool, away: bool) -> None:
    net, x = network(), images()
    y = net(x).argmax(1)
    function = penalised(net, x, (y + 1) % 5 if targeted else y, weight, targeted, away)
    low, high = -x.flatten(1), 1 - x.flatten(1)
    ours, (theirs, _) = minimise(function, low, high, 0.5 / weight), scipys(function, low, high)
    assert bool((ours <= theirs + 1e-6).all())


def test_a_quadratic_in_a_box() -> None:
    """Convex and badly conditioned: the minimum is unique; its conditions are checked by SciPy's value."""
    g = torch.Generator().manual_seed(0)
    q, _ = torch.linalg.qr(torch.randn(6, 15, 15, generator=g, dtype=torch.float64))
    a = q @ torch.diag_embed(torch.logspace(-1, 2, 15, dtype=torch.float64).expand(6, 15)) @ q.mT
    b = torch.randn(6, 15, generator=g, dtype=torch.float64) * 5

    def function(z: Tensor) -> tuple[Tensor, Tensor]:
        az = (a @ z[:, :, None])[:, :, 0]
        return 0.5 * (z * az).sum(1) - (b * z).sum(1), az - b

    low, high = torch.full_like(b, -0.5), torch.full_like(b, 0.7)
    ours, (theirs, z) = minimise(function, low, high, 1.0), scipys(function, low, high)
    assert bool((z.abs() > 0.49).any())
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_rows_are_independent() -> None:
    net, x = network(), images()
    y = net(x).argmax(1)
    whole = minimise(penalised(net, x, y, 0.1, False, True), -x.flatten(1), 1 - x.flatten(1), 5.0)
    one = minimise(penalised(net, x[3:4], y[3:4], 0.1, False, True), -x[3:4].flatten(1), 1 - x[3:4].flatten(1), 5.0)
    torch.testing.assert_close(one, whole[3:4])


# the objective


@pytest.mark.parametrize(("targeted", "away"), [(True, False), (False, True), (False, False)])
def test_objective_is_the_cross_entropy_with_its_sign(targeted: bool, away: bool) -> None:
    logits = (torch.randn(8, 5, dtype=torch.float64) * 3).requires_grad_()
    wanted = torch.arange(8) % 5
    log_p = torch.log_softmax(logits, 1).gather(1, wanted[:, None])[:, 0]
    expected = -log_p if targeted else -torch.log(1 - log_p.exp()) if away else log_p
    (gradient,) = torch.autograd.grad(expected.sum(), logits, retain_graph=True)
    loss, cotangent, ratio = objective(logits.detach(), wanted, targeted, torch.full((8,), away))
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(cotangent, gradient)
    (plain,) = torch.autograd.grad(log_p.sum(), logits)
    if not targeted:
        torch.testing.assert_close(ratio[:, None] * cotangent, plain)


# the attack


def linear(k: int, scale: float = 600.0) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """A linear model of (N, 1, 4, 4) images whose logits differ much more than the softmax resolves."""
    w = torch.randn(16, k, generator=torch.Generator().manual_seed(3), dtype=torch.float64) * scale / 4
    return w, lambda x: (x.flatten(1) - 0.5) @ w


@pytest.mark.parametrize("targeted", [False, True])
@pytest.mark.parametrize("k", [2, 6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_smallest_perturbation_of_a_linear_model(targeted: bool, k: int, dtype: torch.dtype) -> None:
    w, model = linear(k)
    x = 0.5 + 0.1 * torch.randn(8, 1, 4, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    logits = model(x)
    y = logits.argmax(1)
    t = logits.topk(2)[1][:, 1]
    gaps = logits.gather(1, y[:, None]) - logits
    norms = torch.linalg.vector_norm(w.T[y][:, None] - w.T, dim=2)
    optima = (gaps / norms).scatter(1, y[:, None], torch.inf)
    # every other class may lie between the image and the target: the runner-up's optimum is a lower bound then
    optimum = optima.gather(1, t[:, None])[:, 0] if targeted else optima.amin(1)
    result = LBFGS()(lambda z: (z.flatten(1) - 0.5) @ w.to(z), x.to(dtype), y, targets=t if targeted else None)
    assert result.success.all()
    ratio = result.distance.double() / optimum
    assert float(ratio.min()) > 1 - 1e-4
    assert float(ratio.max()) < 1.05 if k == 2 or not targeted else float(ratio.median()) < 1.05


def test_targets_against_scipys_search_over_c() -> None:
    """SciPy's minimiser at each c of a fine scan, from 0: the shortest adversarial one."""
    net, x = network(), images(4)
    y = net(x).argmax(1)
    t = (y + 1) % 5
    low, high = -x.flatten(1), 1 - x.flatten(1)
    shortest = torch.full((4,), torch.inf, dtype=torch.float64)
    for weight in np.geomspace(0.5, 3, 36):
        _, r = scipys(penalised(net, x, t, float(weight), True, False), low, high)
        norm = torch.linalg.vector_norm(r, dim=1)
        reached = net(x + r.view_as(x)).argmax(1) == t
        shortest = torch.where(reached, torch.minimum(shortest, norm), shortest)
    result = LBFGS(shrink=0, searches=20)(net, x, y, targets=t)
    assert result.success.all()
    assert bool((shortest < torch.inf).all())
    ratio = result.distance / shortest  # the scan's steps in c of 5 % are 2 % and more in the norm
    assert float(ratio.max()) < 1.01  # the search ends when c is known to 2 %
    assert float(ratio.min()) > 0.95


def test_what_is_returned_holds_in_any_unit_and_batch() -> None:
    net, x = network(), images()
    y = net(x).argmax(1)
    result = LBFGS()(net, x, y)
    assert result.success.all()
    assert float(result.adv.min()) >= 0
    assert float(result.adv.max()) <= 1
    assert not bool((net(result.adv).argmax(1) == y).any())
    assert result.forwards - result.backwards == (2 + 10) * 12  # before, after, and the bisections
    small = LBFGS()(net, x, y, batch_size=5)
    torch.testing.assert_close(small.distance, result.distance, rtol=1e-3, atol=1e-5)
    assert small.backwards == pytest.approx(result.backwards, rel=0.05)
    order = torch.arange(11, -1, -1)
    torch.testing.assert_close(LBFGS()(net, x[order], y[order]).distance, result.distance[order], rtol=1e-3, atol=1e-5)
    wide = LBFGS()(lambda z: net((z + 1) / 2), 2 * x - 1, y, bounds=(-1, 1))
    torch.testing.assert_close(wide.distance, result.distance, rtol=1e-3, atol=1e-5)
    longer = LBFGS(shrink=0)(net, x, y)
    assert bool((longer.distance >= result.distance).all())
    label = LBFGS(away="label", shrink=0)(net, x, y)
    assert label.success.all()
    assert float(label.distance.mean()) > 1.05 * float(longer.distance.mean())  # log p rests beyond the boundary


@pytest.mark.parametrize("away", ["label", "others"])
@pytest.mark.parametrize("gap", [5.0, 60.0, 300.0])
def test_confident_networks_are_no_dead_end(gap: float, away: Any) -> None:
    """log p has no slope in float32 at such images; the distance to the boundary is known."""
    w = torch.linspace(-1, 1, 16)

    def model(x: Tensor) -> Tensor:
        z = gap * (1 + 4 * (x.flatten(1) - 0.5) @ w.to(x) / float(w.norm()))
        return torch.stack([z, torch.zeros_like(z)], 1)

    x = torch.full((2, 1, 4, 4), 0.5)
    result = LBFGS(away=away)(model, x, torch.zeros(2, dtype=torch.int64))
    assert result.success.all()
    torch.testing.assert_close(result.distance, torch.full((2,), 0.25), rtol=0.01, atol=0)


def test_what_cannot_move_says_why() -> None:
    x, y = torch.rand(3, 1, 2, 2), torch.zeros(3, dtype=torch.int64)
    dead = LBFGS()(lambda z: torch.relu(-z.flatten(1)[:, :2] - 1) + torch.tensor([2.0, 0.0]), x, y)
    assert torch.equal(dead.adv, x)
    assert dead.status.tolist() == [2, 2, 2]

    def root(z: Tensor) -> Tensor:
        rest = (z.flatten(1)[:, 0] * 0).sqrt()
        return torch.stack([2 + rest, rest * 0], 1)

    broken = LBFGS()(root, x, y)
    assert torch.equal(broken.adv, x)
    assert broken.status.tolist() == [6, 6, 6]
    flat = LBFGS(searches=3)(lambda z: z.flatten(1)[:, :2] * 1e-3 + torch.tensor([2.0, 0.0]), x, y)
    assert flat.status.tolist() == [4, 4, 4]
    assert len(LBFGS()(lambda z: z.flatten(1), x[:0], y[:0]).adv) == 0
