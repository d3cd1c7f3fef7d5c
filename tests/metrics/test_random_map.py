"""Random linear maps through the Gram matrix: the same distances, in distribution, as by a matrix of normal numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from advlab.metrics.distances import pairwise_distances
from advlab.metrics.expected_mantel_r import expected_r
from advlab.metrics.mantel import mantel_r
from advlab.metrics.random_map import mapped_points


def sphere(count: int, trials: int, size: int, seed: int = 0) -> Tensor:
    v = 2 * torch.rand(count, trials, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 1
    return v / v.norm(dim=-1, keepdim=True)


def distances(points: Tensor, outputs: int) -> Tensor:
    images = mapped_points(pairwise_distances(points), points.norm(dim=-1), outputs, list(range(len(points))))
    assert images.shape[-1] == min(outputs, points.shape[1])
    return pairwise_distances(images)


@pytest.mark.parametrize("outputs", [1, 3, 6, 40])
def test_squared_distances_are_scaled_chi_squared(outputs: int) -> None:
    """d_out^2 / d_in^2 is chi-squared with R degrees of freedom: mean R, variance 2 R, for R below, at and above T."""
    v = sphere(1, 6, 9).expand(4000, 6, 9)
    ratio = (distances(v, outputs) / pairwise_distances(v)).square()
    error = math.sqrt(2 * outputs / 4000)
    assert (ratio.mean(0) - outputs).abs().max() < 5 * error
    assert (ratio.var(0) / (2 * outputs) - 1).abs().max() < 0.25


@pytest.mark.parametrize("outputs", [4, 30])
def test_r_is_distributed_as_by_a_matrix(outputs: int) -> None:
    """The same mean and spread of Mantel's r as with W of independent normal numbers (dependence between pairs counts)."""
    v = sphere(600, 20, 25)
    generator = torch.Generator().manual_seed(1)
    matrices = torch.randn(600, 25, outputs, generator=generator, dtype=torch.float64)
    inner = pairwise_distances(v)
    ours, theirs = mantel_r(inner, distances(v, outputs)), mantel_r(inner, pairwise_distances(v @ matrices))
    assert float(ours.mean()) == pytest.approx(float(theirs.mean()), abs=5 * float(theirs.std()) / math.sqrt(300))
    assert float(ours.std()) == pytest.approx(float(theirs.std()), rel=0.2)


@pytest.mark.parametrize(("inputs", "outputs", "value"), [(784, 500, 0.492), (6912, 300, 0.146), (150528, 4096, 0.116)])
def test_expected_r_is_what_the_maps_give(inputs: int, outputs: int, value: float) -> None:
    assert expected_r(inputs, outputs) == pytest.approx(value, abs=1e-3)
    if inputs > 7000:
        return
    v = sphere(12, 100, inputs)
    r = mantel_r(pairwise_distances(v), distances(v, outputs))
    assert float(r.mean()) == pytest.approx(value, abs=4 * float(r.std()) / math.sqrt(len(r)) + 0.005)


def test_more_points_than_dimensions_have_a_singular_gram_matrix() -> None:
    v = sphere(2, 30, 5)
    d_out = distances(v, 4000)
    assert torch.isfinite(d_out).all()
    assert (mantel_r(pairwise_distances(v), d_out) > 0.98).all()


def test_seeds_decide_and_what_is_not_finite_stays_alone() -> None:
    v = sphere(3, 10, 20)
    inner, lengths = pairwise_distances(v), v.norm(dim=-1)
    one = mapped_points(inner, lengths, 50, [1, 2, 3])
    assert torch.equal(mapped_points(inner[1:], lengths[1:], 50, [2, 3]), one[1:])
    inner[0, 0] = torch.nan
    broken = mapped_points(inner, lengths, 50, [1, 2, 3])
    assert broken[0].isnan().any()
    assert torch.equal(broken[1:], one[1:])
