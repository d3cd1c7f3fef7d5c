"""Nearest neighbours that stay: scipy's trees, similarities, chance, ties and distances that are not finite."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist

from advlab.metrics import nearest_neighbours
from advlab.metrics.nearest_neighbours import NearestKept


def condensed(points: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pdist(points))[None]


def test_shares_are_those_of_search_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    before, after, expected = [], [], []
    for noise in (0.05, 0.3, 1.0):
        points = random.standard_normal((40, 3))
        moved = points + noise * random.standard_normal((40, 3))
        neighbours = [KDTree(p).query(p, k=2)[1][:, 1] for p in (points, moved)]
        expected.append(float((neighbours[0] == neighbours[1]).mean()))
        before.append(condensed(points))
        after.append(condensed(moved))
    assert NearestKept(torch.cat(before))(torch.cat(after)).tolist() == pytest.approx(expected)
    assert 0 < expected[2] < expected[0] < 1
    monkeypatch.setattr(nearest_neighbours, "SETS_AT_ONCE", 1)
    assert NearestKept(torch.cat(before))(torch.cat(after)).tolist() == pytest.approx(expected)


def test_a_similarity_keeps_all_and_independent_points_keep_what_chance_does() -> None:
    random = np.random.default_rng(1)
    points = random.standard_normal((200, 30, 5))
    before = torch.cat([condensed(p) for p in points])
    other = torch.cat([condensed(p) for p in random.standard_normal((200, 30, 5))])
    assert (NearestKept(before)(3 * before) == 1).all()
    assert NearestKept(before)(other).mean().item() == pytest.approx(1 / 29, abs=0.006)
    assert NearestKept(before)(0 * before).tolist() == pytest.approx([1 / 29] * 200)


def test_distances_that_are_not_finite_give_nothing() -> None:
    distances = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    broken = distances.clone()
    broken[1] = torch.nan
    assert NearestKept(distances)(broken).isnan().tolist() == [False, True]


def test_ties_before_the_map_count_as_those_after_it_whatever_the_order_of_the_points() -> None:
    """Corners of a square and its centre: each corner has the centre nearest, which has four nearest neighbours."""
    points = np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0], [2.0, 2.0], [1.0, 1.0]])
    moved = points.copy()
    moved[4] += [0.2, 0.3]  # the centre moves towards one corner
    shares = set()
    for order in np.random.default_rng(0).permuted(np.tile(np.arange(5), (20, 1)), axis=1):
        shares.add(round(NearestKept(condensed(points[order]))(condensed(moved[order])).item(), 12))
    assert shares == {round((4 + 1 / 4) / 5, 12)}
    equal = torch.ones(1, 6)
    assert NearestKept(equal)(torch.arange(1.0, 7.0)[None]).item() == pytest.approx(1 / 3)
