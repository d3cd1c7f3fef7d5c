"""What a blur does to adversarial images that are known: one pixel is changed, and its surroundings restore it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from advlab import testing
from tests.helpers.commands import Ended

PLUGIN = Path(__file__).parents[1] / "helpers/robust_overlap.py"


class Centre(nn.Module):
    """Two classes: whether the centre's pixel is brighter than a half."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([0.5 - x[:, 0, 4, 4], x[:, 0, 4, 4] - 0.5], 1)


@pytest.fixture(autouse=True)
def _registered(cli: Callable[..., Ended]) -> None:
    assert cli(f"--plugin={PLUGIN}", "describe", "robust_overlap").code == 0


def test_a_blur_restores_the_pixel_whose_surroundings_are_bright() -> None:
    images = torch.full((18, 1, 9, 9), 0.6)
    images[10:16] = 0.2
    images[10:16, :, 4, 4] = 0.6  # of class 1 by its centre alone
    labels = torch.tensor([1] * 16 + [0] * 2)  # the last two are wrong before: not fooled
    ctx = testing.context("robust_overlap", Centre(), images, labels, {"experiment.defenses": ["blur", "none"]})
    table = testing.measured(ctx)
    for (_, d), rows in table.sort_values("sample").groupby(["attack", "defense"]):
        assert rows["fooled"].tolist() == [True] * 16 + [False] * 2
        assert rows["restored"].tolist() == [d == "blur"] * 10 + [False] * 8
        assert rows["clean"].tolist() == [True] * 10 + [d == "none"] * 6 + [False] * 2
    assert [c.estimate for c in ctx.settings.experiment.claims(table)] == [10 / 16, 0.0] * 2


def test_it_is_small() -> None:
    lines = [line for path in (PLUGIN, Path(__file__)) for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) <= 150


def test_its_stages_are_shared_by_runs(cli: Callable[..., Ended]) -> None:
    line = [f"--plugin={PLUGIN}", "experiment=robust_overlap", "recipe.epochs=2", "run.preset=tiny", "run.cache_root=c"]
    first = cli(*line)
    assert first.code == 0, first.err
    assert first.err.count("made in") == 2
    second = cli(*line, "experiment.defenses=[round]", "experiment.attacks=[deepfool]")
    assert second.err.count("kept from before") == 1
    assert "made in" not in second.err
