"""The sweep that isotropy, topology and lipschitz share: made once, kept, and the same however it is divided."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from advlab.probes import neighbourhood
from advlab.store.atomic import StorageError
from tests.helpers.networks import LinearFeatures


@pytest.mark.parametrize("batch", [1, 7, 33, 1000])
def test_the_table_does_not_depend_on_the_batch_size(around: Any, measured: Any, tmp_path: Any, batch: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    tables = [
        measured(around("topology", network, batch=size, cache=tmp_path / str(size), params={"permutations": 19}))
        for size in (20, batch)
    ]
    numbers = tables[0].select_dtypes("number").columns.drop(["rounding", "p_value"])
    assert np.allclose(tables[0][numbers], tables[1][numbers], atol=2e-3, equal_nan=True)


def test_the_sweep_is_made_once_for_isotropy_topology_and_lipschitz(around: Any, measured: Any) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    first = around("isotropy", network, floor_samples=0)
    alone = measured(first)
    assert first.forward.images == 3 * (2 * 3 * 20 + 1)
    for name, more in (
        ("topology", {"params": {"linearisation": False}}),
        ("isotropy", {}),
        ("isotropy", {"keep": False}),
    ):
        ctx = around(name, network, floor_samples=0, **more)
        again = measured(ctx)
        assert ctx.forward.images == 0
        if name == "isotropy":
            pd.testing.assert_frame_equal(alone, again)
    lipschitz = around("lipschitz", network, floor_samples=0, params={"elementwise": False})
    before = lipschitz.forward.images  # the normalisers'
    measured(lipschitz)
    assert lipschitz.forward.images == before
    other = around("topology", network, floor_samples=0, trials=21)  # other draws are another sweep
    measured(other)
    assert other.forward.images == 3 * (2 * 3 * 21 + 1)


def test_what_is_kept_has_the_names_that_earlier_versions_gave_it(around: Any, measured: Any) -> None:
    """Sweeps that were kept before are found and read again."""
    ctx = around("topology", LinearFeatures(torch.eye(36)[:9]))
    table = measured(ctx)
    (file,) = ctx.artifacts.root.glob("neighbourhood/*/arrays.safetensors")
    arrays = load_file(file)
    assert set(arrays) == {"clean", "deficit", "hit", "length", "moved", "inner", "outer", "width"}
    around_samples = (2, 3, 3, 20)  # readings, samples, radii, trials
    assert arrays["clean"].shape == (3,)
    assert arrays["deficit"].shape == arrays["hit"].shape == arrays["length"].shape == around_samples
    assert arrays["moved"].shape == (1, *around_samples)
    assert arrays["inner"].shape == (*around_samples[:3], 190)
    assert arrays["outer"].shape == (1, *around_samples[:3], 190)
    assert arrays["width"].tolist() == [9]
    again = around("topology", LinearFeatures(torch.eye(36)[:9]))
    pd.testing.assert_frame_equal(measured(again), table)


def test_a_full_cache_costs_no_result(
    around: Any, measured: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network = LinearFeatures(torch.eye(36)[:9])
    kept = measured(around("isotropy", network))
    ctx = around("isotropy", network, trials=21)

    def full(*_: Any) -> None:
        raise StorageError("no space left on device")

    monkeypatch.setattr(ctx.artifacts, "put", full)
    assert len(measured(ctx)) == len(kept)
    assert "the distances are not kept for other experiments: no space left" in caplog.text


def test_isotropy_needs_no_features(around: Any, measured: Any) -> None:
    class Bare(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x.sum((1, 2, 3)), -x.sum((1, 2, 3))], 1)

    assert len(measured(around("isotropy", Bare()))) == 18
    kept = around("isotropy", LinearFeatures(torch.eye(36)), keep=False, floor_samples=0)
    measured(kept)
    assert not list(kept.artifacts.root.glob("neighbourhood/*"))


def test_layers_that_are_swept_apart_give_the_same(
    around: Any, measured: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 9), nn.Tanh(), nn.Linear(9, 5))
    together = measured(around("topology", network, layer=["all"], params={"test": "normal"}))
    monkeypatch.setattr(neighbourhood, "FEATURE_VALUES_AT_ONCE", 20 * 70)
    assert neighbourhood.layer_groups([64, 64, 9, 9], 20) == [[0], [1], [2, 3]]
    ctx = around("topology", network, layer=["all"], params={"test": "normal"}, cache=tmp_path / "other", batch=7)
    apart = measured(ctx)
    assert apart["mantel_r"].to_numpy() == pytest.approx(together["mantel_r"].to_numpy(), abs=1e-3)
