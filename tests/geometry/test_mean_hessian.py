"""The mean Hessian and its principal directions against known Hessians, brute force in float64 and what the scores do.

Longer than other files: one operator against all its oracles, which share a network.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from advlab.errors import ArgumentError
from advlab.geometry.mean_hessian import (
    CurvatureBasis,
    MeanHessian,
    authors_step,
    dense_curvatures,
    lanczos_curvatures,
)

SHAPE = (1, 6, 6)
D = 36


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def orthonormal(seed: int) -> Tensor:
    return torch.linalg.qr(torch.randn(D, D, generator=generator(seed), dtype=torch.float64)).Q


#: eigenvalues, descending, a gap of 1 between neighbours and none of them 0
EIGENVALUES = torch.arange(D, 0, -1, dtype=torch.float64) - 17.5
VECTORS = orthonormal(3).T  # rows
POINTS = torch.rand(5, *SHAPE, generator=generator(1), dtype=torch.float64)
SOURCES = torch.tensor([0, 2, 2, 0, 0])


def quadratic(x: Tensor) -> Tensor:
    """Logits whose second has the Hessian of those eigenpairs, and the others none: F_1 - F_0 and F_1 - F_2 have it too."""
    z = x.flatten(1) @ VECTORS.T
    linear = x.flatten(1) @ VECTORS[:2].T
    return torch.stack([linear[:, 0], 0.5 * (z.square() * EIGENVALUES).sum(1) + linear[:, 1], linear[:, 1]], 1)


def tanh_network() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 3))
    return layers.double().requires_grad_(False)


def operator(
    logits: Callable[[Tensor], Tensor], *, step: float = 0.1, batch_size: int = 7, points: Tensor = POINTS, **more: str
) -> MeanHessian:
    return MeanHessian(logits, points, 1, SOURCES, step=step, batch_size=batch_size, **more)  # type: ignore[arg-type]


def brute_force(logits: Callable[[Tensor], Tensor], step: float) -> Tensor:
    """(D, D): column i is the mean over the points of [grad g(p + h e_i) - grad g(p - h e_i)] / 2h, one at a time."""
    columns = []
    for i in range(D):
        move = torch.zeros(D, dtype=torch.float64)
        move[i] = step
        total = torch.zeros(D, dtype=torch.float64)
        for point, source in zip(POINTS, SOURCES, strict=True):
            for sign in (1, -1):
                x = (point.flatten() + sign * move).requires_grad_()
                scores = logits(x.view(1, *SHAPE))[0]
                (gradient,) = torch.autograd.grad(scores[1] - scores[source], x)
                total += sign * gradient
        columns.append(total / (2 * step * len(POINTS)))
    return torch.stack(columns, 1)


def assert_pairs(basis: CurvatureBasis, expected: Tensor, rows: Tensor) -> None:
    torch.testing.assert_close(basis.curvatures, expected, rtol=0, atol=1e-10)
    cosines = (basis.directions * rows).sum(1).abs()
    torch.testing.assert_close(cosines, torch.ones_like(cosines), rtol=0, atol=1e-10)
    torch.testing.assert_close(basis.rayleigh, expected, rtol=0, atol=1e-9)
    assert float(basis.residuals.max()) < 1e-9


@pytest.mark.parametrize("step", [1e-2, 1.0, 50.0])
def test_a_quadratic_network_gives_its_eigenpairs_whatever_the_step(step: float) -> None:
    dense = dense_curvatures(operator(quadratic, step=step), checked=None)
    assert_pairs(dense, EIGENVALUES, VECTORS)
    assert dense.asymmetry < 1e-10
    lanczos = lanczos_curvatures(operator(quadratic, step=step), 3, tolerance=1e-12)
    ends = [0, 1, 2, D - 3, D - 2, D - 1]
    assert_pairs(lanczos, EIGENVALUES[ends], VECTORS[ends])
    assert math.isnan(lanczos.asymmetry)


def test_along_the_most_positive_direction_the_score_of_the_target_rises_on_both_sides() -> None:
    network = tanh_network()
    basis = dense_curvatures(operator(network, hessian="autograd"))

    def gains(direction: Tensor) -> Tensor:
        scores = [network(POINTS + s * direction.view(SHAPE)) for s in (-0.3, 0.0, 0.3)]
        behind, here, ahead = (s[:, 1] - s.gather(1, SOURCES[:, None])[:, 0] for s in scores)
        return (ahead + behind) / 2 - here

    assert float(basis.curvatures[0]) > 0 > float(basis.curvatures[-1])
    assert float(gains(basis.directions[0]).mean()) > 0 > float(gains(basis.directions[-1]).mean())


def test_algorithm_1_by_brute_force() -> None:
    network = tanh_network()
    matrix = brute_force(network, 0.7)
    ours = operator(network, step=0.7)
    torch.testing.assert_close(ours.products(torch.eye(D)).T, matrix, rtol=0, atol=1e-12)
    assert ours.gradients == 2 * D * len(POINTS)
    dense = dense_curvatures(ours, checked=2)
    torch.testing.assert_close(dense.curvatures.flip(0), torch.linalg.eigvalsh((matrix + matrix.T) / 2))
    assert dense.asymmetry == pytest.approx(float((matrix - matrix.T).norm() / matrix.norm()))
    assert dense.asymmetry > 1e-3  # the step is finite
    v = dense.directions[0]
    (product,) = operator(network, step=0.7).products(v[None])
    assert float(dense.rayleigh[0]) == pytest.approx(float(product @ v))
    assert float(dense.residuals[0]) == pytest.approx(
        float((product - dense.curvatures[0] * v).norm() / product.norm())
    )
    flattest = dense.curvatures.abs().argsort()[:2].tolist()
    assert sorted({0, 1, D - 2, D - 1, *flattest}) == torch.isfinite(dense.residuals).nonzero().flatten().tolist()


def test_a_direction_of_any_length() -> None:
    """The step does not depend on the length of v, by which the product is multiplied; no direction gives no product."""
    network = tanh_network()
    v = torch.randn(1, D, generator=generator(2), dtype=torch.float64)
    products = operator(network, step=0.7).products(torch.cat([v, 3 * v, -v, 0 * v]))
    torch.testing.assert_close(products[1], 3 * products[0])
    torch.testing.assert_close(products[2], -products[0])
    assert not products[3].any()


def test_the_norm_of_the_gradient() -> None:
    network, norms = tanh_network(), []
    for point, source in zip(POINTS, SOURCES, strict=True):
        x = point.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(_difference(network, source)(x), x)
        norms.append(float(gradient.norm()))
    assert operator(network, batch_size=2).gradient_norm() == pytest.approx(sum(norms) / len(norms))


def test_finite_and_exact_hessians_agree_as_the_step_shrinks() -> None:
    network = tanh_network()
    exact = operator(network, hessian="autograd").products(torch.eye(D))
    dense = [
        torch.autograd.functional.hessian(_difference(network, source), p)
        for p, source in zip(POINTS, SOURCES, strict=True)
    ]
    expected = torch.stack([h.view(D, D) for h in dense]).mean(0)  # type: ignore[union-attr]
    torch.testing.assert_close(exact, expected, rtol=0, atol=1e-12)
    errors = [float((operator(network, step=h).products(torch.eye(D)) - exact).norm()) for h in (0.2, 0.1, 0.05)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.1)


def _difference(network: nn.Module, source: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: (lambda scores: scores[1] - scores[source])(network(x[None])[0])


@pytest.mark.parametrize("hessian", ["finite", "autograd"])
def test_a_linear_network_has_no_curvature(hessian: str) -> None:
    weights = torch.randn(3, D, generator=generator(4), dtype=torch.float64)
    for basis in (
        dense_curvatures(operator(lambda x: x.flatten(1) @ weights.T, hessian=hessian), checked=None),
        lanczos_curvatures(operator(lambda x: x.flatten(1) @ weights.T, hessian=hessian), 4),
    ):
        assert not basis.curvatures.any()
        assert not basis.rayleigh.any()
        assert not basis.residuals.any()
        torch.testing.assert_close(basis.directions @ basis.directions.T, torch.eye(len(basis.directions)).double())


@pytest.mark.parametrize("hessian", ["finite", "autograd"])
@pytest.mark.parametrize("batch_size", [1, 3, 10, 21, 256])
def test_the_batch_changes_nothing_but_rounding(batch_size: int, hessian: str) -> None:
    """Parts of a direction's points, all of them, and several directions at once."""
    v = torch.randn(6, D, generator=generator(2), dtype=torch.float64)
    one = operator(tanh_network(), batch_size=batch_size, hessian=hessian)
    torch.testing.assert_close(one.products(v), operator(tanh_network(), batch_size=10**6, hessian=hessian).products(v))
    assert one.gradients == (2 * 6 if hessian == "finite" else 7) * len(POINTS)


def test_no_batch_is_larger_than_allowed() -> None:
    sizes: list[int] = []

    def seen(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return quadratic(x)

    operator(seen, batch_size=24).products(VECTORS[:5])  # two directions of ten gradients each fit
    assert sizes == [20, 20, 10]
    sizes.clear()
    operator(seen, batch_size=4).products(VECTORS[:1])
    assert sorted(sizes) == [3, 3, 4]


def test_directions_are_orthonormal_with_a_sign_that_is_always_the_same() -> None:
    network = tanh_network()
    bases = [lanczos_curvatures(operator(network, step=0.7), 4, seed=1) for _ in range(2)]
    torch.testing.assert_close(bases[0].directions, bases[1].directions)
    v = bases[0].directions
    torch.testing.assert_close(v @ v.T, torch.eye(8).double(), rtol=0, atol=1e-8)
    assert bool((v.gather(1, v.abs().argmax(1, keepdim=True)) > 0).all())
    assert bool((bases[0].curvatures.diff() <= 0).all())


def test_inference_mode_and_single_precision() -> None:
    network = tanh_network()
    expected = operator(network, step=0.7).products(VECTORS[:3])
    single = network.float()
    with torch.inference_mode():
        points = POINTS.float() * 1  # a tensor of inference mode
        ours = operator(single, step=0.7, points=points).products(VECTORS[:3] * 1)
    assert ours.dtype == torch.float64
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-6)


def test_the_authors_step_of_mnist() -> None:
    """The mean image of MNIST's training images is at most .55, where an image is black, and 0 at the edge."""
    assert authors_step(-0.5488, 1.0, 784) == pytest.approx(0.847, abs=1e-3)


@pytest.mark.parametrize("solve", [dense_curvatures, lambda ours: lanczos_curvatures(ours, 3)])
def test_gradients_that_are_not_finite(solve: Callable[[MeanHessian], CurvatureBasis]) -> None:
    def overflows(x: Tensor) -> Tensor:
        return quadratic(x) * torch.exp(x.flatten(1).square().sum(1, keepdim=True))

    with pytest.raises(ArgumentError, match=r"NaN or infinite: type a smaller experiment\.step"):
        solve(operator(overflows, step=50.0))


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="other than the target"):
        MeanHessian(quadratic, POINTS, 2, SOURCES, step=0.1, batch_size=8)
    with pytest.raises(ValueError, match="a step above 0"):
        operator(quadratic, step=0.0)
    with pytest.raises(ArgumentError, match="need more than 36 values"):
        lanczos_curvatures(operator(quadratic), 18)
    with pytest.raises(ArgumentError, match="basis=lanczos"):
        dense_curvatures(MeanHessian(quadratic, torch.rand(5, 3, 40, 40), 1, SOURCES, step=0.1, batch_size=8))
