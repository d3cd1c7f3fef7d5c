"""Both galleries behind a defense: what is drawn is what the network sees through it, by scipy's blur, and the title says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from advlab import testing
from advlab.plotting.pixels import decode
from advlab.results.compare import compare_runs
from tests.helpers.commands import Ended
from tests.helpers.tiny_runs import OPTIONS, TINY

SIDE, CLASSES, SIGMA = 8, 4, 1.0


def measured(name: str, options: dict[str, Any]) -> tuple[pd.DataFrame, nn.Module]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, CLASSES))
    nn.init.normal_(network[1].weight)  # type: ignore[arg-type]
    images = (torch.rand(60, 1, SIDE, SIDE) * 255).round() / 255
    blurred = torch.from_numpy(blur(images.numpy())).float()
    options = {"defense": {"name": "blur", "sigma": SIGMA}, **options}
    ctx = testing.context(name, network, images, network(blurred).argmax(1), options)
    return testing.measured(ctx), network.double()


def blur(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(gaussian_filter(images.astype(float), sigma=(0, 0, SIGMA, SIGMA), mode="nearest", truncate=4.0))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("adversarial_gallery", {"experiment.columns": 3, "experiment.candidates": 60}),
        ("fooling_gallery", {"experiment.classes": [0, 1], "experiment.levels": [0.5]}),
    ],
)
def test_predictions_are_those_of_the_blurred_images(name: str, options: dict[str, Any]) -> None:
    table, network = measured(name, options)
    for _, row in table.iterrows():
        with torch.no_grad():
            logits = network(torch.from_numpy(blur(decode(row)[None] / 255)))
        assert int(logits.argmax()) == row["prediction"]
    if name == "adversarial_gallery":
        adversarial = table[table["image"] != "original"]
        assert len(adversarial) >= 3
        assert (adversarial["prediction"] != adversarial["label"]).all()
    else:
        reached = table[table["target"] >= 0]
        assert reached["success"].all()
        assert (reached["prediction"] == reached["target"]).all()


@pytest.mark.parametrize("name", ["adversarial_gallery", "fooling_gallery"])
def test_the_figure_says_so(name: str, cli: Any) -> None:
    ended: Ended = cli(f"experiment={name}", *TINY, *OPTIONS[name], "defense=blur", "run.output_root=outputs")
    assert ended.code == 0, ended.err
    (manifest,) = Path("outputs").glob("**/manifest.json")
    compared = compare_runs([manifest.parent])
    figure = compared.experiment.plot(compared.table)
    assert any("lenet with blur on digits" in text.get_text() for text in figure.texts)
