"""Mantel's test: scikit-bio's numbers, an independent loop, and all permutations there are.

Longer than other files: one test of association, against three oracles.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import squareform
from scipy.stats import pearsonr
from torch import Tensor

from advlab.metrics import mantel, mantel_permutations
from advlab.metrics.distances import pairwise_distances
from advlab.metrics.mantel import mantel_r, mantel_test
from advlab.metrics.mantel_moments import mantel_moments, mantel_normal

# scikit-bio 0.7.4, skbio.stats.distance.mantel(x, y, permutations=999, seed=42): x, y, r, p
SCIKIT_BIO: list[tuple[list[int], list[int], float, float]] = [
    ([85, 64, 51, 27, 31, 5, 8, 2, 18, 81], [65, 91, 50, 61, 97, 73, 63, 54, 56, 93], 0.3938300387216884, 0.301),
    ([28, 81, 67, 1, 40, 85, 55, 4, 76, 73], [112, 99, 76, 87, 43, 139, 63, 34, 124, 115], 0.5888135218684462, 0.183),
    (
        [40, 3, 1, 13, 1, 67, 53, 65, 26, 61, 76, 38, 46, 99, 80, 98, 38, 68, 95, 65, 84],
        [69, 70, 39, 87, 14, 58, 72, 84, 53, 38, 31, 42, 49, 72, 89, 8, 93, 53, 36, 67, 57],
        -0.058283877780191826, 0.773,
    ),
    (
        [26, 32, 72, 59, 50, 34, 76, 39, 33, 89, 27, 23, 71, 62, 5, 9, 38, 83, 40, 78, 32],
        [50, 111, 159, 67, 56, 101, 110, 96, 48, 175, 72, 112, 150, 132, 28, 85, 44, 140, 81, 177, 52],
        0.7552952225954144, 0.002,
    ),
    (
        [94, 9, 62, 58, 89, 30, 90, 67, 89, 20, 76, 94, 5, 37, 64, 11, 51, 63, 76, 92, 41, 44, 47, 95, 20, 50, 5, 43, 94,
         62, 35, 99, 60, 94, 2, 46],
        [83, 76, 41, 50, 42, 53, 23, 78, 8, 42, 28, 73, 75, 71, 92, 93, 19, 12, 14, 73, 97, 92, 67, 96, 87, 2, 12, 86, 9,
         98, 82, 95, 36, 15, 52, 97],
        -0.17531534899726034, 0.315,
    ),
]  # fmt: skip


def pair(batch: int = 5, count: int = 12, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Distances of random points and of their images under random linear maps, (B, M) float64."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, count, 6, generator=generator)
    return pairwise_distances(x), pairwise_distances(x @ torch.randn(batch, 6, 3, generator=generator))


def loop_p(a: Any, b: Any, permutations: int, seed: int) -> float:
    """Entry by entry in Python floats, with its own Pearson correlation."""
    full, n = squareform(a), len(squareform(a))
    rng = np.random.Generator(np.random.PCG64(seed))
    pairs = list(itertools.combinations(range(n), 2))

    def r(order: Any) -> float:
        x = [full[order[i], order[j]] for i, j in pairs]
        mx, my = math.fsum(x) / len(x), math.fsum(b) / len(b)
        product = math.fsum((u - mx) * (v - my) for u, v in zip(x, b, strict=True))
        return product / math.sqrt(math.fsum((u - mx) ** 2 for u in x) * math.fsum((v - my) ** 2 for v in b))

    observed = abs(r(range(n)))
    return (1 + sum(abs(r(rng.permutation(n))) >= observed - 1e-12 for _ in range(permutations))) / (1 + permutations)


def test_the_anchor_of_scikit_bio() -> None:
    r = mantel_r(torch.tensor([[1.0, 2, 3]]), torch.tensor([[2.0, 7, 6]]))
    assert r.tolist() == pytest.approx([0.7559289460184545], abs=1e-15)


@pytest.mark.parametrize(("x", "y", "r", "p"), SCIKIT_BIO, ids=lambda v: str(len(v)) if isinstance(v, list) else str(v))
def test_r_and_p_are_scikit_bios(x: list[int], y: list[int], r: float, p: float) -> None:
    result = mantel_test(torch.tensor([x]), torch.tensor([y]), seed=42)
    assert float(result.r) == pytest.approx(r, abs=1e-14)
    assert float(result.p) == p  # the generator and its use are the same


def test_r_and_p_are_scikit_bios_here() -> None:
    distance = pytest.importorskip("skbio.stats.distance")
    a, b = pair(batch=4, count=30)
    result = mantel_test(a, b, seed=3)
    for i in range(4):
        matrices = [distance.DistanceMatrix(squareform(v[i].numpy())) for v in (a, b)]
        r, p, _ = distance.mantel(*matrices, permutations=999, seed=3)
        assert float(result.r[i]) == pytest.approx(r, abs=1e-13)
        assert float(result.p[i]) == p


def test_r_is_pearsons() -> None:
    a, b = pair(count=40)
    for squared in (False, True):
        expected = [pearsonr(*(v.square() if squared else v for v in both))[0] for both in zip(a, b, strict=True)]
        assert mantel_r(a, b, squared=squared).tolist() == pytest.approx(expected, abs=1e-13)


def test_similarities_have_r_1_and_the_smallest_p() -> None:
    x = torch.randn(3, 30, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    for image in (x, x @ turn, 1e-3 * x @ turn + 5):
        for squared in (False, True):
            result = mantel_test(pairwise_distances(x), pairwise_distances(image), permutations=99, squared=squared)
            assert result.r.tolist() == pytest.approx([1.0] * 3, abs=1e-10)
            assert result.p.tolist() == [0.01] * 3


def test_a_falling_relation_is_two_sided() -> None:
    a, _ = pair(count=30)
    result = mantel_test(a, a.max() - a)
    assert result.r.tolist() == pytest.approx([-1.0] * 5, abs=1e-13)
    assert result.p.tolist() == [0.001] * 5


@pytest.mark.parametrize("count", [3, 4, 5, 12, 13])
@pytest.mark.parametrize("squared", [False, True])
def test_p_is_that_of_a_plain_loop(count: int, squared: bool) -> None:
    a, b = pair(batch=3, count=count, seed=count)
    result = mantel_test(a, b, permutations=199, seed=7, squared=squared)
    power = 2 if squared else 1
    expected = [loop_p(x**power, y**power, 199, 7) for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    assert result.p.tolist() == expected


def test_what_is_nearer_than_single_precision_is_decided_in_double(monkeypatch: pytest.MonkeyPatch) -> None:
    """Swapping two points changes r by a few 1e-8 up or down: a decision in float32 alone would toss a coin."""
    monkeypatch.setattr(mantel_permutations, "MATRICES_AT_ONCE", 16)
    generator = torch.Generator().manual_seed(0)
    a = torch.rand(40, 6, generator=generator, dtype=torch.float64)
    b = torch.rand(40, 6, generator=generator, dtype=torch.float64)
    a[:, 3:5] = a[:, 1:3] * (1 + 1e-7 * torch.randn(40, 2, generator=generator))  # points 0 and 1 almost change places
    expected = [loop_p(x, y, 99, 1) for x, y in zip(a.numpy(), b.numpy(), strict=True)]
    assert mantel_test(a, b, permutations=99, seed=1).p.tolist() == expected


def test_symmetries_count_as_ties() -> None:
    """Every permutation of the corners of a square has one of three correlations; a third reaches |r| = 1."""
    corners = torch.tensor([[[0.0, 0], [0, 1], [1, 1], [1, 0]]])
    d = pairwise_distances(corners * 0.1)
    result = mantel_test(d, pairwise_distances(corners * 0.7 + 0.3), permutations=3000)
    assert float(result.r) == pytest.approx(1)
    assert float(result.p) == pytest.approx(1 / 3, abs=4 * math.sqrt(2 / 9 / 3000))


def test_p_is_uniform_where_nothing_is_related() -> None:
    x = torch.randn(2, 2000, 8, 4, generator=torch.Generator().manual_seed(5))
    p = mantel_test(pairwise_distances(x[0]), pairwise_distances(x[1]), permutations=199).p
    for level in (0.05, 0.2, 0.5):
        assert float((p <= level).double().mean()) == pytest.approx(
            level, abs=4 * math.sqrt(level * (1 - level) / 2000)
        )


def test_neither_the_batch_nor_the_threads_nor_the_pieces_change_p(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = pair(batch=150, count=11)
    whole = mantel_test(a, b, permutations=99)
    parts = [mantel_test(x, y, permutations=99) for x, y in zip(a.split(7), b.split(7), strict=True)]
    assert torch.equal(torch.cat([part.p for part in parts]), whole.p)
    single = [mantel_test(a[i : i + 1], b[i : i + 1], permutations=99).p for i in range(5)]
    assert torch.equal(torch.cat(single), whole.p[:5])
    for module in (mantel, mantel_permutations):
        monkeypatch.setattr(module, "ENTRIES_AT_ONCE", 500)
    monkeypatch.setattr(mantel_permutations, "MATRICES_AT_ONCE", 3)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert torch.equal(mantel_test(a, b, permutations=99).p, whole.p)
    assert not torch.equal(mantel_test(a, b, permutations=99, seed=1).p, whole.p)


def test_what_has_no_correlation_is_nan() -> None:
    a, b = pair(batch=6)
    b[0] = 0.1
    a[1] = 0
    b[2] = math.sqrt(2) * (1 + 1e-15 * torch.linspace(0, 1, 66, dtype=torch.float64))
    a[3, 4] = torch.nan
    b[4, 0] = torch.inf
    for result in (mantel_test(a, b, permutations=19), mantel_normal(a, b)):
        assert result.r.isnan().tolist() == result.p.isnan().tolist() == [True] * 5 + [False]
    kept = mantel_test(a[5:], b[5:], permutations=19)
    assert torch.equal(mantel_test(a, b, permutations=19).p[5:], kept.p)
    assert mantel_test(a[:0], b[:0]).p.shape == (0,)


def test_single_precision_goes_in_and_stays_as_it_was() -> None:
    a, b = (v.float() for v in pair())
    kept = a.clone(), b.clone()
    result = mantel_test(a, b)
    assert torch.equal(result.p, mantel_test(a.double(), b.double()).p)
    assert result.r.dtype == result.p.dtype == torch.float64
    assert torch.equal(a, kept[0])
    assert torch.equal(b, kept[1])


@pytest.mark.parametrize("n", [3, 4, 5, 6])
def test_the_moments_are_those_of_all_permutations(n: int) -> None:
    generator = torch.Generator().manual_seed(n)
    a, b = (3 + torch.randn(2, n * (n - 1) // 2, generator=generator, dtype=torch.float64) for _ in range(2))
    moments = mantel_moments(a, b)
    rows, columns = np.triu_indices(n, 1)
    for i in range(2):
        full, other = squareform(a[i].numpy(), checks=False), b[i].numpy()
        orders = (np.array(order) for order in itertools.permutations(range(n)))
        z = np.array([full[order[rows], order[columns]] @ other for order in orders])
        assert len(z) == math.factorial(n)
        assert float(moments.mean[i]) == pytest.approx(z.mean(), rel=1e-13)
        assert float(moments.variance[i]) == pytest.approx(z.var(), rel=1e-12)


def test_the_normal_p_is_near_that_of_permutations() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(40, 100, 20, generator=generator) for _ in range(2))
    a, b = pairwise_distances(x), pairwise_distances(y + 0.15 * x)
    drawn, normal = mantel_test(a, b), mantel_normal(a, b)
    assert torch.equal(drawn.r, normal.r)
    assert float((drawn.p - normal.p).abs().max()) < 0.06
    assert float(drawn.p.min()) < 0.05 < 0.5 < float(drawn.p.max())


def test_bad_input_is_refused_by_name() -> None:
    a, b = pair()
    for call in (mantel_r, mantel_test, mantel_normal, mantel_moments):
        with pytest.raises(ValueError, match="same points"):
            call(a, b[:, :55])
        with pytest.raises(ValueError, match="same points"):
            call(a, b[:1])
        with pytest.raises(ValueError, match="upper triangle"):
            call(a[:, :7], b[:, :7])
        with pytest.raises(ValueError, match="at least 3 points"):
            call(a[:, :1], b[:, :1])
    with pytest.raises(ValueError, match="permutations must be at least 1"):
        mantel_test(a, b, permutations=0)
