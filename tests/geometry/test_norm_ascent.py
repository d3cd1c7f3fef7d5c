"""Ascent of the Jacobian's norm: functions whose largest one in a box is known, smooth and piecewise linear, and a grid."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from advlab.geometry.norm_ascent import ascend_jacobian_norm


def squares(x: Tensor) -> Tensor:
    return x.flatten(1).square()


def kinks(x: Tensor) -> Tensor:
    """1 everywhere, and 3 more where a pixel is above .6: the gradient of its Jacobian is zero almost everywhere."""
    pixels = x.flatten(1)
    return pixels + 3 * torch.relu(pixels - 0.6)


def uniform(count: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.rand((count, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(("call", "largest"), [(squares, 2.0), (kinks, 4.0)])
def test_a_known_maximum_is_reached_inside_the_box(call: object, largest: float) -> None:
    found = ascend_jacobian_norm(call, 0.25 + 0.3 * uniform(3, 1, 2, 2), steps=30)  # type: ignore[arg-type]
    assert found.value.tolist() == pytest.approx([largest] * 3, rel=1e-6)
    assert (found.x >= 0).all()
    assert (found.x <= 1).all()


def test_the_bounds_are_those_given() -> None:
    found = ascend_jacobian_norm(squares, torch.zeros(1, 1, 1, 2, dtype=torch.float64) + 0.1, steps=30, bounds=(-1, 3))
    assert found.value.item() == pytest.approx(6)
    assert found.x.abs().max().item() == pytest.approx(3)


@pytest.mark.parametrize("activation", [nn.Tanh(), nn.ReLU()])
def test_values_are_norms_of_the_jacobian_and_near_the_largest_of_a_grid(activation: nn.Module) -> None:
    torch.manual_seed(3)
    first = nn.Linear(2, 24)
    network = nn.Sequential(nn.Flatten(), first, activation, nn.Linear(24, 5)).double()
    with torch.no_grad():
        first.weight.mul_(6)
        first.bias.uniform_(-3, 3)

    def jacobian_norms(x: Tensor) -> Tensor:
        jacobians = torch.func.vmap(torch.func.jacrev(lambda z: network(z[None])[0]))(x)
        return torch.linalg.svdvals(jacobians.flatten(2).detach())[:, 0]

    edges = torch.linspace(0, 1, 100, dtype=torch.float64)
    grid = jacobian_norms(torch.cartesian_prod(edges, edges).view(-1, 1, 1, 2)).max()
    starts = uniform(8, 1, 1, 2)
    found = ascend_jacobian_norm(network, starts, steps=60)
    there, at_start = jacobian_norms(found.x), jacobian_norms(starts)
    assert found.value.tolist() == pytest.approx(there.tolist(), rel=1e-3)
    assert (found.value <= there * (1 + 1e-9)).all()
    assert (found.value >= at_start * 0.999).all()
    assert found.value.max() > 0.97 * grid
    assert found.value.max() > 1.05 * at_start.max()


def test_a_start_does_not_depend_on_the_batch() -> None:
    starts = uniform(5, 1, 2, 2)
    one, other = (ascend_jacobian_norm(kinks, starts, steps=10, batch_size=size) for size in (1, 64))
    assert torch.allclose(one.value, other.value)
    assert torch.allclose(one.x, other.x)
    assert (one.forwards, one.backwards) == (other.forwards, other.backwards)


def test_a_linear_map_has_one_norm_and_features_that_are_not_finite_have_none() -> None:
    weight = uniform(3, 4)
    found = ascend_jacobian_norm(lambda x: x.flatten(1) @ weight.T, uniform(2, 1, 2, 2), steps=5)
    assert found.value.tolist() == pytest.approx([float(torch.linalg.svdvals(weight)[0])] * 2)
    broken = ascend_jacobian_norm(lambda x: squares(x) + torch.inf, uniform(2, 1, 2, 2), steps=5)
    assert broken.value.isnan().all()


def test_images_that_pass_are_counted() -> None:
    passed = [0]

    def counted(x: Tensor) -> Tensor:
        passed[0] += len(x)
        return squares(x)

    found = ascend_jacobian_norm(counted, uniform(3, 1, 2, 2), steps=4)
    assert found.forwards == passed[0]
