"""The examples of defenses: the median against scipy's, the dropped pixels by their counts, and a run behind both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter
from torch import nn

import advlab
from advlab.attacks import FGS
from advlab.config import components
from advlab.engine.units import prepared_run
from advlab.store.run_directory import RunDirectory
from tests.helpers.commands import Ended


def defense(name: str, **options: Any) -> Any:
    return components.REGISTRIES["defense"].load(name)(**options)


@pytest.mark.parametrize("radius", [1, 2])
def test_the_median_is_scipys(radius: int, loaded: Callable[[str], None]) -> None:
    loaded("defense")
    images = torch.rand(3, 2, 9, 7, dtype=torch.float64)
    side = 2 * radius + 1
    wanted = median_filter(images.numpy(), size=(1, 1, side, side), mode="nearest")
    np.testing.assert_array_equal(defense("median", radius=radius)(nn.Identity())(images).numpy(), wanted)


def test_the_medians_gradient_is_its_own(loaded: Callable[[str], None]) -> None:
    """The gradient of the sum counts how often each pixel is a median."""
    loaded("defense")
    images = torch.rand(1, 1, 6, 6, dtype=torch.float64)
    leaf = images.clone().requires_grad_()
    defense("median")(nn.Identity())(leaf).sum().backward()
    medians = median_filter(images[0, 0].numpy(), size=3, mode="nearest")
    assert leaf.grad is not None
    assert leaf.grad[0, 0].tolist() == [
        [float((medians == value).sum()) for value in row] for row in images[0, 0].tolist()
    ]


def test_pixels_are_dropped_at_the_given_rate_and_by_trial(loaded: Callable[[str], None]) -> None:
    loaded("defense")
    images = 0.5 + 0.5 * torch.rand(20, 1, 50, 50)
    defended = defense("dropped_pixels", share=0.3)(nn.Identity(), bounds=(-1.0, 1.0))
    changed = defended(images)
    dropped = changed == -1
    assert torch.equal(changed[~dropped], images[~dropped])
    assert abs(float(dropped.float().mean()) - 0.3) < 5 * (0.3 * 0.7 / 50_000) ** 0.5
    assert torch.equal(defended(images[7:9]), changed[7:9])  # whatever else is in the batch
    again = defended.logits(images, defended.draw(images, 1)) == -1
    assert abs(float((dropped & again).float().mean()) - 0.09) < 5 * (0.09 * 0.91 / 50_000) ** 0.5  # independent trials
    assert not torch.equal(defense("dropped_pixels", share=0.3, seed=1)(nn.Identity())(images) == 0, dropped)


def test_attacks_average_over_draws(loaded: Callable[[str], None]) -> None:
    loaded("defense")
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).eval()
    x = torch.rand(4, 1, 4, 4)
    facts = FGS(draws=7)(defense("dropped_pixels")(network), x, network(x).argmax(1)).facts["defense"]
    assert (facts["random"], facts["draws"]) == (True, 7)


def test_a_run_behind_a_chain(plugin: Callable[..., list[str]], cli: Callable[..., Ended], tmp_path: Path) -> None:
    ended = cli(
        *plugin("defense", "experiment"), "experiment=defended_accuracy", "defense=[median]", "run.preset=tiny",
        "experiment.defenses=[none,median,dropped_pixels]",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (folder,) = (tmp_path / "outputs/defended_accuracy").glob("*/v001")
    table = advlab.load(folder).table
    directory = RunDirectory(folder)
    ctx: Any = prepared_run(directory.nodes(), directory.plan()).ctx
    rows = table[table["defense"] == "median"]
    x, _ = ctx.images_and_labels(rows["sample"].tolist())
    for _ in range(2):  # the run's own, and that of the list
        x = torch.from_numpy(median_filter(x.numpy(), size=(1, 1, 3, 3), mode="nearest"))
    undefended = ctx.classifier.classifier
    assert rows["prediction"].tolist() == undefended(x).argmax(1).tolist()
