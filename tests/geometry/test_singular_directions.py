"""Singular directions against numpy's singular value decomposition, and where they know less than it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from advlab.errors import ArgumentError
from advlab.geometry.singular_directions import singular_directions


def spread(n: int, dimension: int, seed: int = 0) -> Tensor:
    """(n, D) float64 rows whose singular values differ clearly."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(n, dimension, generator=generator, dtype=torch.float64)
    return rows * torch.logspace(0, -2, dimension, dtype=torch.float64)


@pytest.mark.parametrize(("n", "dimension"), [(40, 12), (12, 12), (9, 30)])
@pytest.mark.parametrize("normalise", [True, False])
def test_values_and_directions_are_numpys(n: int, dimension: int, normalise: bool) -> None:
    rows = spread(n, dimension)
    found = singular_directions(rows, normalise=normalise)
    matrix = rows.numpy()
    if normalise:
        matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    _, values, right = np.linalg.svd(matrix, full_matrices=False)  # not centred
    assert found.rank == min(n, dimension) == len(found.values) == len(found.directions)
    assert np.allclose(found.values.numpy(), values, rtol=1e-9)
    cosines = np.abs((found.directions.numpy() * right).sum(1))
    assert np.allclose(cosines, 1, atol=1e-9)
    assert torch.allclose(found.directions @ found.directions.T, torch.eye(found.rank, dtype=torch.float64), atol=1e-12)
    peaks = found.directions.gather(1, found.directions.abs().argmax(1, keepdim=True))
    assert bool((peaks > 0).all())


def test_the_length_of_a_perturbation_counts_only_if_it_is_not_normalised() -> None:
    rows = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 9.0]])
    assert singular_directions(rows).directions[0].tolist() == [1.0, 0.0]
    assert singular_directions(rows, normalise=False).directions[0].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("dimension", [6, 50])
def test_dependent_rows_give_their_rank_and_no_invented_direction(dimension: int) -> None:
    independent = spread(3, dimension)
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(20, 3, generator=generator, dtype=torch.float64) @ independent
    found = singular_directions(rows.float())
    assert found.rank == 3
    outside = independent - (independent @ found.directions.double().T) @ found.directions.double()
    assert float(outside.norm()) < 1e-5 * float(independent.norm())


def test_rounding_of_float32_images_makes_no_rank() -> None:
    """Perturbations within a plane, as differences of float32 images have them."""
    generator = torch.Generator().manual_seed(2)
    plane = torch.linalg.qr(torch.randn(200, 2, generator=generator)).Q.T
    x = torch.rand(100, 200, generator=generator)
    delta = (x + 0.5 * torch.randn(100, 2, generator=generator) @ plane) - x
    assert torch.linalg.matrix_rank(delta.double()) > 2
    assert singular_directions(delta).rank == 2


def test_small_singular_values_have_orthonormal_directions() -> None:
    generator = torch.Generator().manual_seed(3)
    orthonormal = torch.linalg.qr(torch.randn(300, 6, generator=generator, dtype=torch.float64)).Q.T
    rows = torch.logspace(0, -4.9, 6, dtype=torch.float64)[:, None] * orthonormal
    found = singular_directions(rows, normalise=False)
    assert found.rank == 6
    assert torch.allclose(found.directions @ found.directions.T, torch.eye(6, dtype=torch.float64), atol=1e-12)
    assert torch.allclose((found.directions * orthonormal).sum(1).abs(), torch.ones(6, dtype=torch.float64), atol=1e-5)


def test_high_and_low_are_the_two_ends() -> None:
    found = singular_directions(spread(40, 8))
    assert torch.equal(found.high(3), found.directions[:3])
    assert torch.equal(found.low(3), found.directions[[7, 6, 5]])
    assert torch.equal(found.low(2), found.low(3)[:2])  # nested
    assert len(found.high(99)) == len(found.low(99)) == 8


def test_zero_rows_are_left_out_and_what_remains_must_be_finite() -> None:
    rows = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    assert singular_directions(rows).values.tolist() == [1.0]
    with pytest.raises(ArgumentError, match="no perturbation"):
        singular_directions(rows[:1])
    with pytest.raises(ArgumentError, match="NaN or infinite"):
        singular_directions(torch.tensor([[1.0, float("nan")]]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_given_stays_as_it_is(dtype: torch.dtype) -> None:
    rows = torch.randn(5, 7, dtype=dtype, generator=torch.Generator().manual_seed(0))
    before = rows.clone()
    singular_directions(rows)
    assert torch.equal(rows, before)
