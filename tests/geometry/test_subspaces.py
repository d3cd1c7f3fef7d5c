"""Subspaces against numpy's and scipy's decompositions, and projections against their definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import orth, subspace_angles
from torch import Tensor

from advlab.errors import ArgumentError
from advlab.geometry.subspaces import (
    Subspace,
    orthonormal_rows,
    overlap,
    principal_angles,
    random_share,
    random_subspace,
    selected_directions,
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def projector(rows: Tensor) -> np.ndarray:
    return (rows.T @ rows).numpy()


@pytest.mark.parametrize(("m", "dimension", "rank"), [(4, 9, 4), (9, 9, 5), (30, 9, 9), (30, 9, 3), (7, 9, 1)])
def test_the_basis_spans_what_was_given_and_nothing_else(m: int, dimension: int, rank: int) -> None:
    vectors = normal(m, rank) @ normal(rank, dimension, seed=1)
    basis = orthonormal_rows(vectors)
    assert len(basis) == rank == np.linalg.matrix_rank(vectors.numpy())
    torch.testing.assert_close(basis @ basis.T, torch.eye(rank, dtype=torch.float64))
    np.testing.assert_allclose(projector(basis), projector(torch.from_numpy(orth(vectors.numpy().T).T)), atol=1e-9)
    assert float((vectors - vectors @ basis.T @ basis).norm()) < 1e-12 * float(vectors.norm())


def test_rows_that_differ_by_rounding_of_float32_are_one_direction() -> None:
    direction = normal(1, 50).float()
    noisy = torch.cat([direction, direction * (1 + 1e-7 * normal(1, 50, seed=1)).float()])
    assert len(orthonormal_rows(noisy)) == 1
    assert len(orthonormal_rows(noisy, tol=1e-12)) == 2
    assert orthonormal_rows(noisy).dtype == torch.float32


def test_the_tolerance_is_relative_to_the_largest_singular_value() -> None:
    vectors = torch.diag(torch.tensor([100.0, 1.0, 0.01], dtype=torch.float64))
    assert [len(orthonormal_rows(vectors, tol=tol)) for tol in (1e-5, 1e-3, 0.1)] == [3, 2, 1]


def test_of_nothing_and_of_zeros_the_basis_is_empty() -> None:
    assert orthonormal_rows(torch.zeros(0, 5)).shape == (0, 5)
    assert orthonormal_rows(torch.zeros(3, 5)).shape == (0, 5)


CURVATURES = torch.tensor([0.1, -5.0, 3.0, -0.01, 4.0, -2.0])


@pytest.mark.parametrize(
    ("which", "d", "chosen"),
    [
        ("pos", 2, {4, 2}), ("pos", 4, {4, 2, 0, 3}), ("neg", 2, {1, 5}), ("flat", 1, {3}), ("flat", 3, {3, 0, 5}),
        ("most", 3, {1, 4, 2}), ("neg+pos", 1, {4, 1}), ("neg+pos", 2, {4, 2, 1, 5}), ("neg+pos", 3, {0, 1, 2, 3, 4, 5}),
        ("neg+pos", 5, {0, 1, 2, 3, 4, 5}), ("pos", 9, {0, 1, 2, 3, 4, 5}), ("neg", 0, set()), ("neg+pos", 0, set()),
    ],
)  # fmt: skip
def test_directions_are_selected_by_their_curvature(which: str, d: int, chosen: set[int]) -> None:
    directions = selected_directions(CURVATURES, torch.eye(6), which, d)  # type: ignore[arg-type]
    assert len(directions) == len(chosen)
    assert set(directions.argmax(1).tolist()) == chosen


def test_the_ends_of_a_spectrum_hold_no_flat_directions_and_only_their_own_number() -> None:
    ends = torch.eye(20)[:6]
    with pytest.raises(ArgumentError, match=r"whole basis, this one has 6 of 20: take experiment\.basis=dense"):
        selected_directions(CURVATURES, ends, "flat", 1)
    with pytest.raises(ArgumentError, match=r"holds 3: type experiment\.pairs=4"):
        selected_directions(CURVATURES, ends, "pos", 4)
    assert len(selected_directions(CURVATURES, ends, "neg+pos", 3)) == 6


def test_the_complement_is_orthogonal_to_all_directions_and_drawn_by_its_seed() -> None:
    ends = orthonormal_rows(normal(6, 20))
    rows = selected_directions(CURVATURES, ends, "complement", 5, seed=3)
    assert float((rows @ ends.T).abs().max()) < 1e-14
    torch.testing.assert_close(rows @ rows.T, torch.eye(5, dtype=torch.float64))
    assert not torch.allclose(rows, selected_directions(CURVATURES, ends, "complement", 5, seed=4))
    whole = torch.cat([ends, selected_directions(CURVATURES, ends, "complement", 14)])
    torch.testing.assert_close(whole.T @ whole, torch.eye(20, dtype=torch.float64))
    with pytest.raises(ArgumentError, match="dimension 14, not 15"):
        selected_directions(CURVATURES, ends, "complement", 15)


@pytest.mark.parametrize("rank", [0, 3, 12])
def test_a_projection_keeps_the_component_inside_and_the_means_outside(rank: int) -> None:
    basis = random_subspace(rank, 12, seed=0)
    x, mean = normal(5, 3, 2, 2), normal(3, 2, 2, seed=1)
    rows = x.flatten(1).numpy()
    inside = projector(basis)
    np.testing.assert_allclose(Subspace(basis).project(x).flatten(1).numpy(), rows @ inside, atol=1e-14)
    expected = rows @ inside + mean.flatten().numpy() @ (np.eye(12) - inside)
    np.testing.assert_allclose(Subspace(basis, mean).project(x).flatten(1).numpy(), expected, atol=1e-14)
    assert Subspace(basis, mean).project(x).shape == x.shape


def test_what_is_projected_has_nothing_outside_and_stays_when_projected_again() -> None:
    subspace = Subspace(random_subspace(30, 100, seed=0).float())
    once = subspace.project(normal(8, 1, 10, 10).float())
    left = once.flatten(1) - once.flatten(1) @ subspace.basis.T @ subspace.basis
    assert float(left.norm()) < 1e-6 * float(once.norm())
    torch.testing.assert_close(subspace.project(once), once)


def test_shares_are_those_of_the_projections_norm() -> None:
    subspace = Subspace(random_subspace(4, 12, seed=0), mean=normal(12, seed=5))
    x = normal(6, 3, 2, 2)
    expected = (x.flatten(1) @ subspace.basis.T @ subspace.basis).norm(dim=1) / x.flatten(1).norm(dim=1)
    torch.testing.assert_close(subspace.share(x), expected)
    inside = (normal(2, 4) @ subspace.basis).view(2, 3, 2, 2)
    torch.testing.assert_close(subspace.share(inside), torch.ones(2, dtype=torch.float64))
    assert bool(subspace.share(torch.zeros(1, 12)).isnan().all())


def test_random_vectors_have_their_expected_share() -> None:
    shares = Subspace(random_subspace(40, 200, seed=0)).share(normal(2000, 200))
    assert float(shares.square().mean().sqrt()) == pytest.approx(random_share(40, 200), rel=0.01)


@pytest.mark.parametrize("turn", [1e-3, 0.5, 1.2])
def test_principal_angles_are_scipys(turn: float) -> None:
    a = random_subspace(3, 10, seed=0)
    tilted = torch.cat([a[:2] + np.tan(turn) * random_subspace(2, 10, seed=1), random_subspace(2, 10, seed=2)])
    b = orthonormal_rows(tilted)
    expected = np.sort(subspace_angles(a.T.numpy(), b.T.numpy()))
    np.testing.assert_allclose(principal_angles(a, b).numpy(), expected, rtol=1e-6, atol=1e-14)
    np.testing.assert_allclose(principal_angles(b, a).numpy(), expected, rtol=1e-6, atol=1e-14)
    assert overlap(a, b) == pytest.approx(float((np.cos(expected) ** 2).mean()))


def test_principal_angles_are_those_of_turned_axes_however_small() -> None:
    angles = torch.tensor([0.0, 1e-12, 1e-6, 0.7, 0.9, 1.5, np.pi / 2], dtype=torch.float64)
    rotation = random_subspace(14, 14, seed=0)
    a = rotation[:7]
    b = angles.cos()[:, None] * rotation[:7] + angles.sin()[:, None] * rotation[7:]
    np.testing.assert_allclose(principal_angles(a, b).numpy(), angles.numpy(), rtol=1e-9, atol=1e-14)


def test_a_subspace_inside_another_overlaps_wholly_and_random_ones_by_their_dimension() -> None:
    a = random_subspace(5, 50, seed=0)
    assert overlap(a[:2], a) == pytest.approx(1)
    assert float(principal_angles(a[:2], a).max()) < 1e-14
    random = [overlap(random_subspace(5, 50, seed=s), random_subspace(10, 50, seed=s + 1000)) for s in range(200)]
    assert float(np.mean(random)) == pytest.approx(10 / 50, rel=0.03)
    assert np.isnan(overlap(a[:0], a))
    assert principal_angles(a[:0], a).shape == (0,)


def test_random_subspaces_are_orthonormal_and_told_apart_by_their_seed() -> None:
    rows = random_subspace(7, 30, seed=1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(7, dtype=torch.float64))
    assert torch.equal(rows, random_subspace(7, 30, seed=1))
    assert not torch.equal(rows, random_subspace(7, 30, seed=2))
    with pytest.raises(ArgumentError, match="0 to 30 of them, not 31"):
        random_subspace(31, 30, seed=0)
