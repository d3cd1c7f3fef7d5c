"""Features of the linearised network: the network's Jacobian, by rows and by products."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from advlab.experiments.aghdam2017 import linearised_measure
from torch import nn

from tests.helpers.networks import LinearFeatures


def test_the_linearisation_is_the_networks_jacobian(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 3))
    found = measured(around("topology", network, norm=["l2"], pixel_scale=[1]))
    by = found.pivot(index=["sample", "radius"], columns="source", values="mantel_r").reset_index()
    near, far = by[by["radius"] == 0.1], by[by["radius"] == 10]
    assert near["network"].to_numpy() == pytest.approx(near["linearisation"].to_numpy(), abs=1e-2)
    assert (far["network"] - far["linearisation"]).abs().min() > 1e-2  # tanh saturates


def test_clipping_is_seen_by_the_linearisation(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    rotation, _ = torch.linalg.qr(torch.randn(36, 36))
    found = measured(around("topology", LinearFeatures(rotation), clip=True))
    assert found[found["source"] == "linearisation"]["mantel_r"].to_numpy() == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize("layers", [["auto"], ["1", "3", "2"]])
@pytest.mark.parametrize("clip", [False, True])
def test_the_linearisation_is_the_same_by_rows_and_by_products(
    around: Any, measured: Any, monkeypatch: pytest.MonkeyPatch, layers: list[str], clip: bool
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 20), nn.Tanh(), nn.Linear(20, 8), nn.Tanh(), nn.Linear(8, 3))
    ctx = around("topology", network, layer=layers, clip=clip)
    assert linearised_measure.whole_jacobian_is_cheaper(ctx, 20)
    assert not linearised_measure.whole_jacobian_is_cheaper(ctx, 1000)
    rows = measured(ctx)
    monkeypatch.setattr(linearised_measure, "whole_jacobian_is_cheaper", lambda *_: False)
    calls: list[int] = []
    real = linearised_measure.TangentProducts.__call__

    def counted(self: Any, x: Any, v: Any) -> Any:
        calls.append(v.shape[1])
        return real(self, x, v)

    monkeypatch.setattr(linearised_measure.TangentProducts, "__call__", counted)
    products = measured(ctx)
    assert rows["mantel_r"].to_numpy() == pytest.approx(products["mantel_r"].to_numpy(), abs=1e-5)
    samples, probe = ctx.prepared["samples"], ctx.settings.probe
    assert len(calls) == len(samples) * len(probe.radii) * (len(probe.readings) if clip else 1)  # all layers at once
    monkeypatch.setattr("advlab.probes.neighbourhood.FEATURE_VALUES_AT_ONCE", 1)
    apart = measured(ctx)
    assert len(calls) == len(samples) * len(probe.radii) * (len(probe.readings) if clip else 1) * (1 + len(layers))
    assert rows["mantel_r"].to_numpy() == pytest.approx(apart["mantel_r"].to_numpy(), abs=1e-5)
