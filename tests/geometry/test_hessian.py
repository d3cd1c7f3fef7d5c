"""Distances of Hessians from c I and a I + b 11' against dense Hessians in float64 and closed forms."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from advlab.geometry.hessian import hessian_directions, hessian_spread, random_signs

SHAPE = (1, 2, 4)
D = 8
EVERY = torch.tensor(list(itertools.product([-1, 1], repeat=D)))  # all directions: expectations become means
MATRIX = torch.randn(D, D, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
ONES = torch.ones(D, D, dtype=torch.float64)
EYE = torch.eye(D, dtype=torch.float64)


def quadratic(hessian: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: 0.5 * ((x.flatten(1) @ hessian) * x.flatten(1)).sum(1) + x.flatten(1) @ MATRIX[0]


def network() -> Callable[[Tensor], Tensor]:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(1, 5, 2), nn.Tanh(), nn.Flatten(), nn.Linear(15, 6), nn.Softplus(), nn.Linear(6, 1)
    )
    layers.double().requires_grad_(False)
    return lambda x: layers(x)[:, 0]  # type: ignore[no-any-return]


def images(count: int = 3) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def dense(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    rows = [torch.autograd.functional.hessian(lambda z: function(z.view(1, *SHAPE))[0], image.flatten()) for image in x]
    return torch.stack(rows)  # type: ignore[arg-type]


def distances(hessian: Tensor) -> tuple[float, float]:
    """min_c ||H - c I|| / ||H|| and min_{a, b} ||H - a I - b 11'|| / ||H||, by least squares over the elements."""
    distances = []
    for basis in ([EYE], [EYE, ONES]):
        design = torch.stack([b.flatten() for b in basis], 1)
        rest = hessian.flatten() - design @ torch.linalg.lstsq(design, hessian.flatten()[:, None]).solution[:, 0]
        distances.append(float(rest.norm() / hessian.norm()))
    return distances[0], distances[1]


@pytest.mark.parametrize("directions", [EVERY, hessian_directions(D, D)], ids=["all signs", "unit vectors"])
def test_all_directions_give_the_dense_hessian_of_a_network(directions: Tensor) -> None:
    function, x = network(), images()
    spread = hessian_spread(function, x, directions)
    for i, hessian in enumerate(dense(function, x)):
        isotropic, symmetric = distances(hessian)
        assert float(spread.norm[i]) == pytest.approx(float(hessian.norm()), rel=1e-10)
        assert float(spread.trace[i]) == pytest.approx(float(hessian.trace()), rel=1e-10)
        assert float(spread.isotropic[i]) == pytest.approx(isotropic, rel=1e-10)
        assert float(spread.symmetric[i]) == pytest.approx(symmetric, rel=1e-10)
        assert symmetric < isotropic < 1
        gradient = torch.autograd.functional.jacobian(lambda z: function(z[None])[0], x[i]).flatten()  # type: ignore[arg-type, union-attr]
        assert torch.allclose(spread.gradient[i], gradient, atol=1e-14)


def test_few_directions_come_within_their_standard_errors() -> None:
    function, x = network(), images(1)
    exact = hessian_spread(function, x, EVERY)
    estimates, errors = [], []
    for seed in range(60):
        spread = hessian_spread(function, x, random_signs(16, D, seed=seed))
        estimates.append([float(spread.norm), float(spread.trace), float(spread.isotropic), float(spread.symmetric)])
        errors.append(spread.errors[0].tolist())
    truth = [float(exact.norm), float(exact.trace), float(exact.isotropic), float(exact.symmetric)]
    for column, true in enumerate(truth):
        values = torch.tensor([row[column] for row in estimates])
        stated = torch.tensor([row[column] for row in errors])
        assert abs(float(values.mean()) - true) < 4 * float(values.std()) / math.sqrt(60) + 0.02 * abs(true)
        assert 0.6 < float(stated.mean() / values.std()) < 1.7  # the errors are as large as they say


@pytest.mark.parametrize(
    ("hessian", "isotropic", "symmetric"),
    [
        (3 * EYE, 0, 0),
        (-2 * ONES, math.sqrt(1 - 1 / D), 0),
        (1.5 * EYE - 4 * ONES, None, 0),
        (torch.diag(torch.tensor([1.0, -1.0] * 4, dtype=torch.float64)), 1, 1),
    ],
    ids=["cI", "b11", "aI+b11", "saddle"],
)
@pytest.mark.parametrize("step", [0.0, 0.7])
def test_closed_forms_hold_whatever_the_directions(
    hessian: Tensor, isotropic: float | None, symmetric: float, step: float
) -> None:
    spread = hessian_spread(quadratic(hessian), images(), random_signs(3, D, seed=9), step=step)
    isotropic = distances(hessian)[0] if isotropic is None else isotropic
    if symmetric == 0:  # of a saddle, three directions say what they can
        assert spread.norm.tolist() == pytest.approx([float(hessian.norm())] * 3, rel=1e-9)
        assert spread.isotropic.tolist() == pytest.approx([isotropic] * 3, abs=1e-6)
        assert spread.symmetric.tolist() == pytest.approx([0] * 3, abs=1e-6)
        assert spread.errors.abs().max() < 1e-6
    every = hessian_spread(quadratic(hessian), images(), EVERY, step=step)
    assert every.isotropic.tolist() == pytest.approx([isotropic] * 3, abs=1e-6)
    assert every.symmetric.tolist() == pytest.approx([symmetric] * 3, abs=1e-6)


def test_unit_vectors_are_exact_and_fewer_directions_are_random_signs() -> None:
    function, x = network(), images()
    assert hessian_spread(function, x, hessian_directions(100, D)).errors.tolist() == [[0.0] * 4] * 3
    assert hessian_directions(D - 1, D, seed=4).equal(random_signs(D - 1, D, seed=4))
    assert (hessian_spread(function, x, hessian_directions(D - 1, D)).errors > 0).all()


def test_a_product_of_two_pixels() -> None:
    spread = hessian_spread(lambda x: x[:, 0, 0, 0] * x[:, 0, 0, 1], images(1), EVERY)
    assert float(spread.norm) == pytest.approx(math.sqrt(2))
    assert float(spread.trace) == pytest.approx(0, abs=1e-12)
    assert float(spread.isotropic) == pytest.approx(1)
    # its projection on 11' - I: 2 / sqrt(D (D - 1)) of a norm of sqrt(2)
    assert float(spread.symmetric) == pytest.approx(math.sqrt(1 - 2 / (D * (D - 1))))


def test_piecewise_linear_functions_need_a_step() -> None:
    function: Callable[[Tensor], Tensor] = lambda x: (x - 0.5).abs().flatten(1).sum(1)  # noqa: E731
    x = torch.full((1, *SHAPE), 0.5 + 1e-3, dtype=torch.float64)
    flat = hessian_spread(function, x, EVERY)
    assert float(flat.norm) == 0
    assert math.isnan(float(flat.isotropic))
    # each coordinate's slope goes from -1 to 1 within a step of h / sqrt(D) per coordinate: H = I / (that step)
    step = 0.8
    spread = hessian_spread(function, x, EVERY, step=step)
    assert float(spread.isotropic) == pytest.approx(0, abs=1e-6)
    assert float(spread.trace) == pytest.approx(D / (step / math.sqrt(D)), rel=1e-9)


def test_a_linear_function_has_no_hessian() -> None:
    spread = hessian_spread(lambda x: x.flatten(1) @ MATRIX[0], images(), EVERY)
    assert (spread.norm == 0).all()
    assert torch.allclose(spread.gradient, MATRIX[0].expand(3, D))


def test_batches_inference_mode_and_writing_functions_do_not_matter() -> None:
    function, x, signs = network(), images(5), random_signs(4, D)
    whole = hessian_spread(function, x, signs)
    with torch.inference_mode():
        parts = [hessian_spread(lambda z: function(z.mul_(1)), part * 1, signs) for part in x.split(2)]
    for one, *others in zip(whole, *parts, strict=True):
        assert torch.allclose(one, torch.cat(others), rtol=1e-9, atol=1e-12)


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="at least 2 directions"):
        hessian_spread(network(), images(), random_signs(1, D))
    with pytest.raises(ValueError, match="the images' 8 values"):
        hessian_spread(network(), images(), random_signs(4, D + 1))
    with pytest.raises(ValueError, match="negative"):
        hessian_spread(network(), images(), EVERY, step=-1)
    with pytest.raises(ValueError, match="one value an image"):
        hessian_spread(lambda x: x.flatten(1), images(), EVERY)
