"""Distances: those of a float64 brute force, however near the points are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import distance as scipy_distance
from torch import Tensor

from advlab.metrics import distances as module
from advlab.metrics.distances import all_finite, norms_and_distances, pairwise_distances, point_count, squareform


def cloud(batch: int, count: int, size: int, radius: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """x of norm 100 and random v of norm `radius`, (D,) and (B, T, D) float64."""
    generator = torch.Generator().manual_seed(seed)
    x, v = (torch.rand(*shape, size, generator=generator).double() for shape in ((), (batch, count)))
    v = 2 * v - 1
    return 100 * x / x.norm(), radius * v / v.norm(dim=-1, keepdim=True)


def brute(points: Tensor) -> Tensor:
    """Every pair subtracted in float64."""
    return torch.from_numpy(np.stack([scipy_distance.pdist(part) for part in points.double().numpy()]))


@pytest.mark.parametrize("size", [2, 784, 3000, 150528])
@pytest.mark.parametrize("radius", [1e-3, 1.0, 20.0])
def test_distances_of_x_plus_v_are_those_of_brute_force(size: int, radius: float) -> None:
    count = 8 if size > 10000 else 25
    x, v = cloud(2, count, size, radius)
    for points in ((x + v).float(), x + v, v.float()):
        distances = pairwise_distances(points)
        assert distances.dtype == torch.float64
        torch.testing.assert_close(distances, brute(points), rtol=1e-9, atol=0)


def test_v_and_x_plus_v_give_the_same() -> None:
    x, v = cloud(1, 20, 784, 1.0)
    torch.testing.assert_close(pairwise_distances(x + v), pairwise_distances(v), rtol=1e-12, atol=0)


def test_near_pairs_far_from_the_mean_keep_their_digits_and_equal_points_have_distance_zero() -> None:
    _, v = cloud(3, 12, 300, 1.0)
    v[:, 1] = v[:, 0]
    v[:, 3] = v[:, 2] * (1 + 1e-9)
    v[:, 5, 0] = v[:, 4, 0] + 1e-4
    v[:, 5, 1:] = v[:, 4, 1:]
    distances = pairwise_distances(v)
    torch.testing.assert_close(distances, brute(v), rtol=1e-9, atol=0)
    assert distances[:, 0].tolist() == [0.0] * 3
    assert int((distances == 0).sum()) == 3


def test_equal_points_give_zeros() -> None:
    points = torch.rand(1, 1, 77, generator=torch.Generator().manual_seed(0)).expand(2, 9, 77)
    assert pairwise_distances(points).tolist() == [[0.0] * 36] * 2


def test_the_pieces_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    _, v = cloud(7, 10, 50, 1.0)
    v[:, 3] = v[:, 8]
    whole = pairwise_distances(v)
    monkeypatch.setattr(module, "COORDINATES_AT_ONCE", 7)
    monkeypatch.setattr(module, "VALUES_AT_ONCE", 150)
    torch.testing.assert_close(pairwise_distances(v), whole, rtol=1e-13, atol=0)


def test_a_point_that_is_not_finite_spoils_its_own_matrix_only() -> None:
    _, v = cloud(3, 6, 5, 1.0)
    v[1, 2, 0], v[2, 0, 0] = torch.nan, torch.inf
    distances = pairwise_distances(v)
    assert bool(distances[0].isfinite().all())
    assert bool(distances[1:].isnan().all())


def test_the_shapes_at_the_edge() -> None:
    assert pairwise_distances(torch.rand(0, 4, 3)).shape == (0, 6)
    assert pairwise_distances(torch.rand(2, 1, 3)).shape == (2, 0)
    assert pairwise_distances(torch.rand(2, 3, 0)).tolist() == [[0.0] * 3] * 2
    with pytest.raises(ValueError, match=r"\(B, T, D\)"):
        pairwise_distances(torch.rand(4, 3))
    with pytest.raises(ValueError, match="floating-point"):
        pairwise_distances(torch.ones(1, 4, 3, dtype=torch.int64))


def test_the_square_of_one_point() -> None:
    assert squareform(torch.ones(2, 0)).tolist() == [[[0.0]], [[0.0]]]


def test_condensed_and_square_are_scipys() -> None:
    condensed = torch.rand(3, 15, dtype=torch.float64)
    for mine, given in zip(squareform(condensed), condensed, strict=True):
        np.testing.assert_array_equal(mine.numpy(), scipy_distance.squareform(given.numpy()))
    assert [point_count(torch.rand(1, t * (t - 1) // 2)) for t in (1, 2, 3, 100, 2000)] == [1, 2, 3, 100, 2000]
    with pytest.raises(ValueError, match="7 is no number"):
        squareform(torch.rand(1, 7))
    with pytest.raises(ValueError, match="condensed distances are"):
        squareform(torch.rand(6))


def test_what_is_not_finite_is_seen_and_large_numbers_are() -> None:
    largest = torch.finfo(torch.float32).max
    values = torch.tensor([[largest, largest], [torch.inf, -torch.inf], [torch.nan, 0.0]])
    assert all_finite(values).tolist() == all_finite(values[:, None]).tolist() == [True, False, False]


def test_float32_is_right_to_what_it_says() -> None:
    generator = torch.Generator().manual_seed(0)
    points = 100 + torch.randn(3, 40, 500, generator=generator)
    points[:, 1] = points[:, 0] + 1e-3 * torch.randn(3, 500, generator=generator)  # two that nearly coincide
    exact, fast = pairwise_distances(points), pairwise_distances(points, dtype=torch.float32)
    assert fast.dtype == torch.float32
    assert ((fast - exact).abs() / exact).max() < 1e-4
    assert ((fast - exact).abs() / exact).median() < 2e-6
    points[0, 0, 0] = torch.nan
    assert pairwise_distances(points, dtype=torch.float32)[0].isnan().all()


@pytest.mark.parametrize("drift", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("size", [5, 784, 20000])
def test_norms_and_distances_from_one_product(drift: float, size: int) -> None:
    """With a common part too, up to where vectors coincide all but for a hundredth; one set has two equal vectors."""
    x, v = cloud(3, 15, size, 1.0)
    v = (v + drift * x / 100).float()
    v[1, 4] = v[1, 9]
    norms, distances = norms_and_distances(v)
    torch.testing.assert_close(norms.double(), v.double().norm(dim=-1), rtol=2e-6, atol=0)
    exact = brute(v)
    near = exact < 0.02 * float(norms.max())
    assert ((distances - exact).abs() / exact)[~near].max() < 3e-4
    assert ((distances - exact).abs() / exact)[~near].median() < 1e-5
    assert int((distances == 0).sum()) == 1
    v[2, 3, 1] = torch.inf
    norms, distances = norms_and_distances(v)
    assert distances.isnan().any(1).tolist() == distances.isnan().all(1).tolist() == [False, False, True]
    assert int((~norms.isfinite()).sum()) == 1
