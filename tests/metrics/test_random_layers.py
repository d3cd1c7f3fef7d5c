"""A random layer with a ReLU against weights drawn in full, in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from advlab.metrics import random_layers
from advlab.metrics.distances import pairwise_distances
from advlab.metrics.mantel import mantel_r
from advlab.metrics.random_layers import rectified_layer


def point_and_shifts(length: float, *, sets: int = 1, shifts: int = 12, size: int = 30) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(sets, 1 + shifts, size, generator=generator, dtype=torch.float64)
    points[:, 1:] = length * torch.nn.functional.normalize(points[:, 1:] - 0.5, dim=2)
    return points


@pytest.mark.parametrize("length", [1e-3, 10.0])
def test_it_is_the_layer_with_these_weights(length: float) -> None:
    """The Gram matrix, and so every distance, is that of relu(W x) and relu(W (x + v)) computed in float64."""
    points = point_and_shifts(length)
    weights = torch.randn(700, 30, generator=torch.Generator().manual_seed(5)).double()
    inputs = torch.cat([points[0, :1], points[0, :1] + points[0, 1:]])
    values = (2 / 700) ** 0.5 * torch.relu(inputs @ weights.T)
    found = rectified_layer(points, 700, seed=5)
    expected = pairwise_distances(values[None, 1:])
    assert pairwise_distances(found[:, 1:]).tolist()[0] == pytest.approx(expected[0].tolist(), rel=1e-4)
    assert found[0, 0].norm().item() == pytest.approx(values[0].norm().item(), rel=1e-5)
    cosine = found[0, 1:] @ found[0, 0] / found[0, 1:].norm(dim=1)
    moved = values[1:] - values[0]
    assert cosine.tolist() == pytest.approx((moved @ values[0] / moved.norm(dim=1)).tolist(), abs=1e-3)


def test_coordinates_do_not_matter_in_the_mean() -> None:
    """Other coordinates of the same points give other draws of the same distribution of Mantel's r, also in a second layer."""
    points = point_and_shifts(3.0)
    turned = points @ torch.linalg.qr(torch.randn(30, 30, dtype=torch.float64))[0]
    before = pairwise_distances(points[:, 1:])
    means = []
    for coordinates in (points, turned, torch.linalg.cholesky(points @ points.mT)):
        r = []
        for seed in range(300):
            layer = rectified_layer(rectified_layer(coordinates, 40, 2 * seed), 20, 2 * seed + 1)
            r.append(mantel_r(before, pairwise_distances(layer[:, 1:])).item())
        means.append(sum(r) / len(r))
    assert means[1] == pytest.approx(means[0], abs=0.04)
    assert means[2] == pytest.approx(means[0], abs=0.04)


def test_a_set_does_not_depend_on_the_others_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    points = point_and_shifts(1.0, sets=3)
    together = rectified_layer(points, 100, seed=1)
    alone = torch.cat([rectified_layer(part, 100, seed=1) for part in points.split(1)])
    assert torch.allclose(together, alone, atol=1e-6)
    assert rectified_layer(points, 5, seed=1).isfinite().all()  # fewer units than points
    points[1, 2, 3] = torch.nan
    assert rectified_layer(points, 100, seed=1).isnan().all(-1).all(-1).tolist() == [False, True, False]
    widths: list[int] = []
    real = torch.randn

    def counted(*size: int, **keywords: Any) -> Tensor:
        widths.append(size[0])
        return real(*size, **keywords)

    monkeypatch.setattr(torch, "randn", counted)
    rectified_layer(points, 2 * random_layers.UNITS_AT_ONCE + 1, seed=1)
    assert widths == [random_layers.UNITS_AT_ONCE, random_layers.UNITS_AT_ONCE, 1]
