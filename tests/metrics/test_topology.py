"""Eq 7 against numpy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from advlab.metrics.distances import pairwise_distances, squareform
from advlab.metrics.topology import AlphaSolver, TopologyPreservation


def sphere(batch: int, count: int, size: int, seed: int = 0) -> Tensor:
    """(B, T, D) float32 uniform directions in a cube, of length 1."""
    v = 2 * torch.rand(batch, count, size, generator=torch.Generator().manual_seed(seed)) - 1
    return v / v.norm(dim=-1, keepdim=True)


def preservation(d_in: Tensor, d_out: Tensor, *, squared: bool = False) -> TopologyPreservation:
    return AlphaSolver(d_in, squared=squared)(d_out)


def mapped(v: Tensor, outputs: int) -> Tensor:
    """Images under a random linear map."""
    return v @ torch.randn(v.shape[-1], outputs, generator=torch.Generator().manual_seed(2), dtype=v.dtype)


def test_a_similarity_is_a_multiple_of_the_identity() -> None:
    v = sphere(3, 30, 50).double()
    turn = torch.linalg.qr(torch.randn(50, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    preserved = preservation(pairwise_distances(v), pairwise_distances(0.3 * v @ turn + 2))
    assert preserved.c.tolist() == pytest.approx([0.3] * 3, rel=1e-12)
    assert max(preserved.deviation.tolist() + preserved.residual.tolist()) < 1e-7  # a root of a difference of squares
    squares = preservation(pairwise_distances(v), pairwise_distances(0.3 * v @ turn), squared=True)
    assert squares.c.tolist() == pytest.approx([0.09] * 3, rel=1e-12)
    assert max(squares.deviation.tolist()) < 1e-9


@pytest.mark.parametrize("squared", [False, True])
def test_alpha_is_numpys(squared: bool) -> None:
    v = sphere(4, 20, 40)
    a, b = pairwise_distances(v), pairwise_distances(mapped(v, 7).relu())
    preserved = preservation(a, b, squared=squared)
    for i in range(4):
        d_in, d_out = (squareform(m)[i].numpy() ** (2 if squared else 1) for m in (a, b))
        alpha = np.linalg.inv(d_in) @ d_out
        c = np.trace(alpha) / 20
        assert float(preserved.c[i]) == pytest.approx(c, rel=1e-10)
        deviation = np.linalg.norm(alpha - c * np.eye(20)) / np.linalg.norm(alpha)
        assert 0.1 < deviation < 1
        assert float(preserved.deviation[i]) == pytest.approx(deviation, rel=1e-10)
        scale = np.linalg.lstsq(d_in.reshape(-1, 1), d_out.ravel(), rcond=None)[0][0]
        residual = np.linalg.norm(d_out - scale * d_in) / np.linalg.norm(d_out)
        assert float(preserved.residual[i]) == pytest.approx(residual, rel=1e-10)


def test_the_condition_number_of_a_simplex_is_its_number_of_points_less_one() -> None:
    """The docstring's word, and eq 7 where alpha is known: J - I maps to D_out by J / (T - 1) - I."""
    d_in = torch.ones(1, 4950, dtype=torch.float64)
    assert float(torch.linalg.cond(squareform(d_in))[0]) == pytest.approx(99)
    d_out = torch.rand(1, 4950, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    alpha = (torch.ones(100, 100, dtype=torch.float64) / 99 - torch.eye(100)) @ squareform(d_out)[0]
    c = float(alpha.trace()) / 100
    preserved = preservation(d_in, d_out)
    assert float(preserved.c[0]) == pytest.approx(c, rel=1e-12)
    deviation = float((alpha - c * torch.eye(100)).norm() / alpha.norm())
    assert float(preserved.deviation[0]) == pytest.approx(deviation, rel=1e-12)


@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-5])
def test_points_that_nearly_coincide_cost_the_digits_of_their_condition_number(gap: float) -> None:
    """Ten pairs of thirty points, scaled by .3: an explicit inverse would lose about twice as many digits."""
    v = sphere(1, 30, 50).double()
    v[0, :10] = v[0, 10:20] + gap * sphere(1, 10, 50, seed=3).double()[0]
    d_in = pairwise_distances(v)
    condition = float(torch.linalg.cond(squareform(d_in))[0])
    assert condition > 10 / gap
    preserved = AlphaSolver(d_in)(0.3 * d_in)
    assert float(preserved.deviation[0]) < 1e-16 * 30 * condition
    assert float(preserved.c[0]) == pytest.approx(0.3, rel=1e-15 * condition)


def test_what_cannot_be_solved_is_nan() -> None:
    v = sphere(7, 10, 20)
    b = pairwise_distances(mapped(v, 7))
    v[1, 3] = v[1, 8]  # D_in is singular
    a = pairwise_distances(v)
    a[2] = 0
    a[3, 0], b[4, 0] = torch.nan, torch.inf
    b[5] = 0
    a[6, 2] = torch.inf
    preserved = preservation(a, b)
    assert preserved.deviation.isnan().tolist() == [False, True, True, True, True, True, True]
    assert preserved.c.isnan().tolist() == [False, True, True, True, True, False, True]
    assert preserved.residual.isnan().tolist() == [False, False, True, True, True, True, True]
    alone = preservation(a[:1], b[:1])
    assert float(preserved.c[0]) == pytest.approx(float(alone.c[0]), rel=1e-12)
    flat = pairwise_distances(sphere(1, 10, 3))
    assert bool(preservation(flat, flat, squared=True).c.isnan().all())  # squared distances of rank D + 2
    assert float(preservation(flat, flat).c) == pytest.approx(1)
    with pytest.raises(ValueError, match="same points"):
        preservation(a, b[:1])
